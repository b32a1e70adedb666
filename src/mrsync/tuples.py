"""NamedTuple, made in a tenth of the time that `typing` takes, and otherwise the same.

The master makes 150 of these classes before it can do anything, and a catcher 120, at every start. `typing` compiles
the annotation of each field, to see that it is a type; mypy has seen that already. `collections.namedtuple` compiles a
__new__ for each class; here classes with as many fields share one, in which only the names of the parameters differ.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import NamedTuple as NamedTuple
else:
    from collections import _tuplegetter as field_getter  # the attributes of collections.namedtuple, made in C
    from types import FunctionType

    _new = tuple.__new__
    _GLOBALS = {"_new": _new, "__name__": __name__, "__builtins__": {}}

    def _make(cls, values):
        made = _new(cls, values)
        if len(made) != len(cls._fields):
            raise TypeError(f"Expected {len(cls._fields)} arguments, got {len(made)}")
        return made

    def _replace(self, /, **changes):
        made = _new(type(self), map(changes.pop, self._fields, self))
        if changes:
            raise ValueError(f"Got unexpected field names: {list(changes)!r}")
        return made

    def _repr(self):
        return f"{type(self).__name__}({', '.join(map('{}={!r}'.format, self._fields, self))})"

    _SHARED = {
        "__slots__": (),
        "_make": classmethod(_make),
        "_replace": _replace,
        "_asdict": lambda self: dict(zip(self._fields, self)),  # noqa: B905  # Python 3.9 knows no strict=
        "__repr__": _repr,
        "__getnewargs__": lambda self: tuple(self),  # for copy and pickle
    }

    @functools.cache
    def _code_of_new(count):
        """Return the code of a __new__ for so many fields."""
        parameters = "".join(f", _{number}" for number in range(count))
        return eval(f"lambda _cls{parameters}: _new(_cls, ({parameters[2:]}{',' * (count == 1)}))", _GLOBALS).__code__

    class _Maker(type):
        """Make a named tuple of the annotations in the body of a class, with the body's methods."""

        def __new__(cls, name, bases, body):
            if not bases:
                return super().__new__(cls, name, bases, body)  # NamedTuple itself
            fields = tuple(body.get("__annotations__", ()))
            defaults = {field: body[field] for field in fields if field in body}
            code = _code_of_new(len(fields)).replace(co_name="__new__", co_varnames=("_cls", *fields))
            new = FunctionType(code, _GLOBALS, "__new__", tuple(defaults.values()))
            new.__qualname__ = f"{name}.__new__"
            names = {"_fields": fields, "_field_defaults": defaults, "__match_args__": fields, "__new__": new}
            getters = {field: field_getter(index, None) for index, field in enumerate(fields)}
            return type(name, (tuple,), {**_SHARED, **names, **body, **getters})

    class NamedTuple(metaclass=_Maker):
        """The base to name; the classes derive from tuple alone."""
