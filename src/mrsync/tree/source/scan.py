"""Scan the source into a manifest, with the scanner that the selection needs."""

from __future__ import annotations

from collections.abc import Callable

from mrsync.tree.model.manifest import Manifest
from mrsync.tree.model.policy import Policy
from mrsync.tree.source.roots import Roots
from mrsync.tree.source.scanner import Scan, Scanner
from mrsync.tree.source.selection import Selection


def scan(
    root: bytes,
    policy: Policy = Policy(),  # noqa: B008
    selection: Selection = Selection(),  # noqa: B008
    on_activity: Callable[[int], None] = lambda entries: None,
    on_digested: Callable[[int, int], None] = lambda count, total: None,
) -> Scan:
    """Scan the tree below a directory. Raise SelectionError if the root itself cannot be read.

    root: the directory's path; with several SOURCEs `selection.operands` has the paths. policy: of the manifest, which
    targets obey. selection: what of the source is synced, and how it is read. on_activity: called with the number of
    entries read since the last call. on_digested: called with the bytes read for digests since the last call, and the
    total of all files.
    """
    return _scanner_of(root, Manifest(policy), selection).run(on_activity, on_digested)


def _scanner_of(root: bytes, manifest: Manifest, selection: Selection) -> Scanner:
    if selection.operands:
        from mrsync.tree.source.operands import OperandScanner  # most runs have one directory

        return OperandScanner(manifest, selection)
    if selection.files is None:
        return Scanner(Roots((root,)), manifest, selection)
    from mrsync.tree.source.files_from import FilesFromScanner  # few runs have a list

    return FilesFromScanner(Roots((root,)), manifest, selection)
