"""A finding of the doctor: what is wrong with a target, or worth knowing about it."""

from __future__ import annotations

from collections.abc import Callable

from mrsync.run.measure.evidence import Evidence, Setting
from mrsync.run.measure.facts import HostFacts
from mrsync.tuples import NamedTuple


class Finding(NamedTuple):
    """A problem (is_fault) or a remark. Equal findings of many targets are shown once."""

    cause: str
    detail: str
    remedy: str
    is_fault: bool = True


# A rule looks at one possible problem of a target that has answered, so the facts in its evidence are not None.
FindingRule = Callable[[Evidence, HostFacts, Setting], "Finding | None"]


def two_digits(number: float) -> str:
    """Round to two significant digits, so that similar targets have equal findings."""
    return f"{float(f'{number:.2g}'):g}"
