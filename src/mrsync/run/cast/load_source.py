"""Load what a run casts: the whole source, or the files that patterns, a synclist or rsync's dry run name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from mrsync.errors import SelectionError
from mrsync.files import open_named, read_lines_bounded
from mrsync.run.settings import CastSettings
from mrsync.tree.model.failure import printable
from mrsync.tree.source.scan import scan
from mrsync.tree.source.scanner import Scan
from mrsync.tuples import NamedTuple

if TYPE_CHECKING:  # modules for lists are imported only if there is one
    from mrsync.run.cast.rsync_compare import RsyncCompare
    from mrsync.tree.lists.synclist import Item


class LoadedSource(NamedTuple):
    """A scan of the source.

    warnings: sentences about the selection. is_incomplete: a part of it could not be selected.
    """

    scan: Scan
    warnings: Sequence[str] = ()
    is_incomplete: bool = False


def load_source(
    settings: CastSettings,
    rsync_compare: RsyncCompare | None,
    on_activity: Callable[[int], None],
    on_digested: Callable[[int, int], None],
) -> LoadedSource:
    """Scan the source. Raise SelectionError, UsageError, or anything that on_activity raises.

    rsync_compare: needed if rsync makes the selection. on_activity: called with a number of scanned entries.
    on_digested: called with the bytes digested since the last call and the total.
    """
    selection = settings.selection
    if not selection.is_list:
        return LoadedSource(scan(settings.source, settings.policy, selection, on_activity, on_digested))
    from mrsync.tree.lists.scan_synclist import scan_synclist

    warnings: list[str] = []
    is_incomplete = False
    if selection.patterns:
        from mrsync.tree.lists.shell_patterns import match_patterns

        items, idle = match_patterns(settings.source, selection.patterns)
        warnings = [f"nothing in the source matches {printable(pattern)}" for pattern in idle]
    elif selection.synclist:
        items = _read_synclist(selection.synclist)
    else:
        assert rsync_compare is not None
        items, warnings, is_incomplete = rsync_compare.ask()
    found = scan_synclist(settings.source, items, settings.policy, selection, on_activity)
    return LoadedSource(found, warnings, is_incomplete)


def _read_synclist(path: bytes) -> list[Item]:
    from mrsync.tree.lists.synclist import parse_lines

    shown = printable(path)
    try:
        with open_named(path) as file:
            return parse_lines(read_lines_bounded(file), shown)
    except OSError as error:
        raise SelectionError(f"cannot read the synclist {shown}: {error.strerror}") from error
