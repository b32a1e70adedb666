"""What a verifier reports to the master, as lines of JSON on its stdout. decode_finding checks every value."""

from __future__ import annotations

import json
import os
from typing import Any, Union

from mrsync.errors import ProtocolDataError
from mrsync.tree.record.verification import Difference
from mrsync.tuples import NamedTuple

KINDS = ("missing", "extra", "changed", "contents", "unreadable")
TEXT_MAX = 40_000  # characters of a path, whose bytes may take several
NUMBER_MAX = 2**63
AT_MAX = 2**37  # seconds since 1970, in the year 6325; far later ones have no calendar
_MARK = b'{"verify"'


class TreeVerdict(NamedTuple):
    """The last line of a verifier.

    problem: why nothing could be verified; else empty. manifest: digest of the manifest that the record holds. at: when
    the tree was last synced, in seconds since 1970. unproven: files of which only size and time are known.
    differences: how many there are; not all may have been reported. tree: digest of the entries that the record holds.
    """

    problem: str = ""
    manifest: str = ""
    at: float = 0.0
    entries: int = 0
    files: int = 0
    bytes: int = 0
    unproven: int = 0
    differences: int = 0
    seconds: float = 0.0
    tree: str = ""


class Pulse(NamedTuple):
    """A sign of life of a verifier. looked_at: entries and portions of files so far."""

    looked_at: int = 0


VerifierFinding = Union[Difference, TreeVerdict, Pulse]


def encode_finding(finding: VerifierFinding) -> str:
    """Return one line of JSON without a newline."""
    if isinstance(finding, (TreeVerdict, Pulse)):
        return json.dumps({"verify": list(finding)})
    return json.dumps({"verify": [finding.kind, os.fsdecode(finding.path), finding.detail, finding.page]})


def decode_finding(line: bytes) -> VerifierFinding | None:
    """Decode a line from encode_finding. Return None for any other line. Raise ProtocolDataError if it is malformed."""
    if not line.startswith(_MARK):
        return None
    try:
        values = json.loads(line)["verify"]
        if len(values) == len(Difference._fields):
            return _difference(*values)
        if len(values) == len(Pulse._fields):
            return Pulse(_checked(values[0], 0))
        if len(values) != len(TreeVerdict._fields):
            raise ValueError(f"{len(values)} values")
        return _verdict(TreeVerdict(*(_checked(value, default) for value, default in zip(values, TreeVerdict()))))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ProtocolDataError(f"a finding that makes no sense: {error}") from error


def _verdict(verdict: TreeVerdict) -> TreeVerdict:
    if verdict.at > AT_MAX:
        raise ValueError("an impossible time")
    if any(bytes.fromhex(digest).hex() != digest for digest in (verdict.manifest, verdict.tree)):
        raise ValueError("an impossible digest")
    return verdict


def _difference(kind: Any, path: Any, detail: Any, page: Any) -> Difference:
    if kind not in KINDS or not isinstance(path, str) or not isinstance(detail, str):
        raise ValueError("an unknown kind of difference")
    if len(path) > TEXT_MAX or len(detail) > TEXT_MAX:
        raise ValueError("a text that is too long")
    if type(page) is not int or not -1 <= page < NUMBER_MAX:
        raise ValueError("an impossible page")
    return Difference(kind, os.fsencode(path), detail, page)


def _checked(value: Any, default: Any) -> Any:
    if isinstance(default, str):
        is_good = isinstance(value, str) and len(value) <= TEXT_MAX
    else:
        kinds = (int, float) if isinstance(default, float) else int
        is_good = isinstance(value, kinds) and not isinstance(value, bool) and 0 <= value < NUMBER_MAX
    if not is_good:
        raise ValueError(f"{value!r:.40} where {type(default).__name__} belongs")
    return value
