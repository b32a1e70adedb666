"""Our NamedTuple makes what the one of typing makes."""

from __future__ import annotations

import copy
import pickle
import re
import typing

import pytest

from mrsync import tuples

CLASS = '''
from __future__ import annotations
class Row(NamedTuple):
    """A row."""
    name: str
    sizes: Sequence[int] = ()
    parent: Row | None = None
    @property
    def total(self) -> int:
        return sum(self.sizes)
    @classmethod
    def of(cls, *sizes: int) -> Row:
        return cls("made", sizes)
    def __bool__(self) -> bool:
        return False
'''


def made_by(base: object) -> typing.Any:
    names = {"NamedTuple": base, "__name__": __name__}
    exec(CLASS, names)
    return names["Row"]


def facts(row: typing.Any) -> list[object]:
    one = row("a", parent=row("b", (1, 2)))
    return [
        row.__name__,
        row.__qualname__,
        row.__module__,
        row.__doc__,
        row.__bases__,
        row._fields,
        row._field_defaults,
        list(row.__annotations__),
        repr(one),
        one.parent.total,
        repr(row.of(3, 4)),
        repr(one._replace(name="c")),
        repr(row._make(("d", (), None))),
        one._asdict(),
        row.__match_args__,
        copy.copy(one),
        bool(one),
        hash(one) == hash(tuple(one)),
        one == ("a", (), ("b", (1, 2), None)),
    ]


def test_a_class_is_the_same_as_with_typing() -> None:
    assert facts(made_by(tuples.NamedTuple)) == facts(made_by(typing.NamedTuple))


class Pair(tuples.NamedTuple):
    first: int
    second: int = 2


class Nothing(tuples.NamedTuple):
    """Without fields, as some events are."""


def test_instances_can_be_pickled_and_may_have_no_fields() -> None:
    assert pickle.loads(pickle.dumps(Pair(1))) == Pair(1, 2)
    assert Nothing() == ()
    assert Nothing._fields == ()


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(TypeError, match=re.escape("Pair.__new__() got an unexpected keyword argument 'third'")):
        Pair(1, third=3)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'first'"):
        Pair()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="Expected 2 arguments, got 1"):
        Pair._make([1])
    with pytest.raises(ValueError, match="unexpected field names: \\['third'\\]"):
        Pair(1)._replace(third=3)  # type: ignore[call-arg]
