"""Make the plan: the union of all targets' needs, laid out as one contents object."""

from __future__ import annotations

import os
from array import array
from bisect import bisect_left
from collections.abc import Iterable

from mrsync.ranges import merged
from mrsync.tree.fs.extents import data_extents
from mrsync.tree.model.plan import Extents, Plan
from mrsync.tree.source.ctimes import settle
from mrsync.tree.source.roots import OpenRoots
from mrsync.tree.source.scanner import Scan


def build_plan(scan: Scan, needs: Iterable[tuple[int, int]]) -> Plan:
    """Plan the union of all needs, ranges [a, b) of entries.

    Files that cannot be read are planned nevertheless; reading their contents will report the error. The identity of a
    file that changed too shortly before the scan is left out, because its ctime could not reveal another change.
    """
    ranges = merged(needs)
    entries = array("I")
    for first, end in ranges:
        entries.extend(range(first, end))
    planned_sparse = [entry for entry in sorted(scan.sparse) if _is_in(entries, entry)]
    extents, identities = _read_extents(scan, entries, planned_sparse) if planned_sparse else ({}, {})
    plan = Plan(scan.manifest, ranges, extents)
    plan.sparse_identities = identities
    if scan.inodes:
        for first, end in ranges:
            plan.ctimes += scan.ctimes[first:end]
            plan.inodes += scan.inodes[first:end]
        if plan.ctimes and max(plan.ctimes) > scan.settled_at:
            known = zip(plan.inodes, plan.ctimes)
            plan.inodes = array("Q", (0 if ctime > scan.settled_at else inode for inode, ctime in known))
    return plan


def _is_in(values: array[int], value: int) -> bool:
    position = bisect_left(values, value)
    return position < len(values) and values[position] == value


def _read_extents(
    scan: Scan, entries: array[int], sparse: list[int]
) -> tuple[dict[int, Extents], dict[int, tuple[int, int]]]:
    """Return where sparse files have data, and their identities, both by planned file."""
    manifest = scan.manifest
    extents: dict[int, Extents] = {}
    identities: dict[int, tuple[int, int]] = {}
    open_roots = OpenRoots(scan.roots, manifest)
    try:
        for entry in sparse:
            size = manifest.sizes[entry]
            try:
                fd, status = open_roots.open_known(entry)
            except OSError:
                continue  # planned without holes; ContentsReader meets the same error and reports it
            try:
                settle(status.st_ctime_ns)
                pieces = data_extents(fd, size)
            finally:
                os.close(fd)
            if pieces != [(0, size)]:
                file = bisect_left(entries, entry)
                extents[file], identities[file] = pieces, (status.st_ino, status.st_ctime_ns)
    finally:
        open_roots.close()
    return extents, identities
