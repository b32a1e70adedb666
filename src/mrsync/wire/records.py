"""The records of a catcher's log, one NamedTuple each. `record_codec` encodes them; docs/protocol.md describes them."""

from __future__ import annotations

from enum import IntEnum
from typing import Union

from mrsync.tuples import NamedTuple


class NeedsRecord(NamedTuple):
    """The entries of the manifest whose contents are needed, of the entries [first, end)."""

    first: int
    end: int
    ranges: tuple[tuple[int, int], ...]


class WantsRecord(NamedTuple):
    """The wanted pages, of the pages [first, end) of the contents. Without such records, all needed ones are."""

    first: int
    end: int
    ranges: tuple[tuple[int, int], ...]


class BasisRecord(NamedTuple):
    """The entries that have an older copy here as a basis for deltas, of the manifest's entries [first, end)."""

    first: int
    end: int
    ranges: tuple[tuple[int, int], ...]


class ComparedRecord(NamedTuple):
    """The comparison is finished."""

    files_needed: int
    bytes_needed: int
    changes: int  # entries to create or update without contents


class SatOutRecord(NamedTuple):
    """The target sits out this file of the plan."""

    file: int
    errno: int


class ErrorRecord(NamedTuple):
    """An error with one path, at a commit or without contents."""

    errno: int
    path: bytes
    action: str


class FailureCause(IntEnum):
    """The consequence of a failure of one target for the session."""

    OTHER = 0
    DELETIONS = 1  # most of the target's entries would be deleted, so the source is probably the wrong one


class FailedRecord(NamedTuple):
    """The target cannot take part any longer, for this reason."""

    reason: str
    cause: FailureCause = FailureCause.OTHER


class ResultRecord(NamedTuple):
    """The target has finished."""

    files_updated: int
    bytes_written: int
    created: int
    mended: int
    deleted: int
    errors: int
    skipped: int = 0  # entries that were not deleted because of the limit, or are to be refused
    untold: int = 0  # changes that did not fit into the log


class ChangesRecord(NamedTuple):
    """Entries that were changed, or would be, in the format of `changes.pack_changes`. Ascending over all records."""

    data: bytes


class DeletionsRecord(NamedTuple):
    """Entries that were deleted, or would be, in the format of `changes.pack_deletions`."""

    data: bytes


LogRecord = Union[
    NeedsRecord,
    ComparedRecord,
    SatOutRecord,
    ErrorRecord,
    FailedRecord,
    ResultRecord,
    WantsRecord,
    BasisRecord,
    ChangesRecord,
    DeletionsRecord,
]
