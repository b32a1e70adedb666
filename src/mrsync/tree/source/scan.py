"""Read the source into a manifest."""

from __future__ import annotations

import os
from collections.abc import Callable

from mrsync.tree.model.manifest import Manifest
from mrsync.tree.model.policy import Policy
from mrsync.tree.source.scanner import Scan, Scanner, open_source
from mrsync.tree.source.selection import Selection


def scan(
    root: bytes,
    policy: Policy = Policy(),  # noqa: B008
    selection: Selection = Selection(),  # noqa: B008
    on_activity: Callable[[int], None] = lambda entries: None,
    on_digested: Callable[[int, int], None] = lambda count, total: None,
) -> Scan:
    """Read the tree below a directory; SelectionError if the root itself cannot be read.

    on_activity: hears how many entries were read since. on_digested: bytes read for digests since, and of all files.
    """
    fd = open_source(root)
    try:
        return _scanner_of(selection)(root, fd, Manifest(policy), selection).run(on_activity, on_digested)
    finally:
        os.close(fd)


def _scanner_of(selection: Selection) -> type[Scanner]:
    if selection.files is None:
        return Scanner
    from mrsync.tree.source.files_from import Gatherer  # few runs have a list

    return Gatherer
