"""Turn a target's itemized changes into records for its log."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator

from mrsync.tree.destination.deletion_limit import DeletionLimit
from mrsync.tree.model.items import Items
from mrsync.tuples import NamedTuple
from mrsync.wire.formats.changes import Change, pack_changes, pack_deletions, unpack_changes, unpack_deletions
from mrsync.wire.limits import CHANGES_BYTES_MAX
from mrsync.wire.records import ChangesRecord, DeletionsRecord


class Itemized(NamedTuple):
    """Records for the log. untold: number of changes that did not fit into it."""

    records: tuple[ChangesRecord | DeletionsRecord, ...] = ()
    untold: int = 0


def itemize(
    items: Items, undone: Collection[int], deletions: DeletionLimit, on_activity: Callable[[int], None]
) -> Itemized:
    """Return records for all changes and deletions, deletions first, up to CHANGES_BYTES_MAX in total.

    undone: entries to leave out, because they were not changed after all. on_activity: called with 1 for each record.
    """
    records: list[ChangesRecord | DeletionsRecord] = []
    room, untold = CHANGES_BYTES_MAX, deletions.unlisted
    changed = map(ChangesRecord, pack_changes(Change(*run) for run in items.runs(undone)))
    deleted = map(DeletionsRecord, pack_deletions(deletions.listed()))
    for record in _all(deleted, changed):
        room -= len(record.data)
        if room >= 0:
            records.append(record)
        elif isinstance(record, DeletionsRecord):
            untold += sum(1 for _ in unpack_deletions(record.data))
        else:
            untold += sum(change.end - change.first for change in unpack_changes(record.data))
        on_activity(1)
    return Itemized(tuple(records), untold)


def _all(
    deleted: Iterable[DeletionsRecord], changed: Iterable[ChangesRecord]
) -> Iterator[DeletionsRecord | ChangesRecord]:
    yield from deleted
    yield from changed
