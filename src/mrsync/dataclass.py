"""dataclass and field, made in a twentieth of the time that `dataclasses` takes, and the same as far as we use them.

`dataclasses` imports `inspect` and compiles each method of each class, together a tenth of the master's start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
    from dataclasses import field as field
else:

    class field:  # its name in `dataclasses`
        """The mark of a field whose default is made anew for each object."""

        def __init__(self, *, default_factory):
            self.default_factory = default_factory

    def dataclass(cls=None, *, eq=True):
        """Give a class that has no bases an __init__ with its annotations as parameters, a __repr__ and an __eq__."""
        if cls is None:
            return lambda decorated: dataclass(decorated, eq=eq)
        names = tuple(cls.__annotations__)
        defaults = {name: getattr(cls, name) for name in names if hasattr(cls, name)}
        needed = {name for name in names if name not in defaults}
        for name, default in defaults.items():
            if isinstance(default, field):
                delattr(cls, name)

        def __init__(self, *values, **named):
            given = {**dict(zip(names, values)), **named}  # noqa: B905  # Python 3.9 knows no strict
            if len(given) != len(values) + len(named) or not needed <= given.keys() <= set(names):
                raise TypeError(f"{cls.__qualname__} takes {names} and needs {needed}, but got {values} and {named}")
            for name in names:
                value = given[name] if name in given else defaults[name]
                setattr(self, name, value.default_factory() if isinstance(value, field) else value)
            if hasattr(cls, "__post_init__"):
                self.__post_init__()

        def __repr__(self):
            return f"{cls.__qualname__}({', '.join(f'{name}={getattr(self, name)!r}' for name in names)})"

        def __eq__(self, other):
            if type(other) is not cls:
                return NotImplemented
            return all(getattr(self, name) == getattr(other, name) for name in names)

        cls.__init__, cls.__repr__ = __init__, __repr__
        if eq:
            cls.__eq__, cls.__hash__ = __eq__, None  # what can change and compares by value has no hash
        return cls
