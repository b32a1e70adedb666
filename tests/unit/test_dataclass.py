"""Our dataclass makes what `dataclasses` makes, as far as we use it."""

from __future__ import annotations

import dataclasses
import typing

import pytest

from mrsync import dataclass

CLASS = '''
from __future__ import annotations
@dataclass
class Plain:
    """A class."""
    name: str
    size: int = 3
    parts: list[int] = field(default_factory=list)
    def __post_init__(self) -> None:
        self.total = self.size + 1
    def grow(self) -> Plain:
        self.size += 1
        return self
@dataclass(eq=False)
class Own:
    name: str
'''


def facts(module: typing.Any) -> list[object]:
    names = {"dataclass": module.dataclass, "field": module.field, "__name__": __name__}
    exec(CLASS, names)
    plain: typing.Any = names["Plain"]
    own: typing.Any = names["Own"]
    one, two, same = plain("a", 4, [1]), plain(name="b"), own("a")
    two.parts.append(7)
    found = [plain.__doc__, repr(one), repr(two), plain("c").parts, two.total, plain("b").grow() == plain("b", 4)]
    found += [one == plain("a", 4, [1]), one == two, one != "a", plain.size, hasattr(plain, "parts"), plain.__hash__]
    found += [same == own("a"), same in {same}, repr(same)]
    for values, named in (((), {}), (("a", 1, [], 2), {}), (("a",), {"name": "b"}), (("a",), {"other": 1})):
        with pytest.raises(TypeError):
            plain(*values, **named)
    return found


def test_a_class_is_the_same_as_with_dataclasses() -> None:
    assert facts(dataclass) == facts(dataclasses)
