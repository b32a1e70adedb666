"""Itemized dry runs say line by line what rsync -ain says, in another order."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from pathlib import Path

import pytest

from mrsync.cli.itemized import change_lines
from mrsync.cli.options import parse_mrsync
from mrsync.run.cast.ledger import Ledger
from mrsync.run.cast.outcome import Outcome, TargetOutcome, TargetState
from mrsync.run.catch.itemizing import itemize
from mrsync.tree.compare.compare import compare
from mrsync.tree.compare.deletion_preview import foresee_deletions
from mrsync.tree.destination.destination import Destination
from mrsync.tree.model.manifest import Manifest
from mrsync.tree.source.scan import scan
from tests.disk.test_options import plain
from tests.oracle import add_specials, adorn_pair, build_pair, can_keep, rsync

pytestmark = pytest.mark.skipif(shutil.which("rsync") is None, reason="needs rsync")

OPTIONS = (
    "",
    "--checksum",
    "--size-only",
    "--ignore-times",
    "--modify-window=1",
    "--update --modify-window=1",
    "--existing",
    "--ignore-existing",
    "--no-hard-links",
    "--omit-dir-times",
    "--chmod=Dg+w,Fo-r --chown=1:1",
    "--no-delete",
    "-D",
    "--xattrs",
    "--acls",
    "--xattrs --acls -D",
)


def itemized(source: Path, dest: Path, *options: str) -> list[str]:
    """What mrsync -ni prints of one target named t."""
    settings, _ = parse_mrsync(["-m", "t", "-s", str(source), "-ni", *options])
    scanned = scan(os.fsencode(source), settings.policy, settings.selection)
    manifest = Manifest.decode(scanned.manifest.encode())
    destination = Destination(os.fsencode(dest), is_dry_run=True)
    comparison = compare(manifest, destination)
    assert comparison.failures == foresee_deletions(manifest, destination, comparison) == []
    assert comparison.items is not None
    told = itemize(comparison.items, set(), destination.deletions, lambda count: None)
    destination.close()
    ledger = Ledger()
    for record in told.records:
        ledger.take(0, record)
    outcome = Outcome(0, b"", b"", (TargetOutcome("t", TargetState.DONE),), changes=ledger.lines(scanned.manifest))
    return [line.removeprefix("t: ") for line in change_lines(outcome)]


def difference(ours: list[str], theirs: str) -> list[str]:
    """Lines that only one of them has, or more often."""
    one, other = Counter(ours), Counter(theirs.splitlines())
    return [f"only mrsync: {line}" for line in (one - other)] + [f"only rsync: {line}" for line in (other - one)]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("options", OPTIONS)
def test_letters_are_those_of_rsync(tmp_path: Path, options: str, seed: int) -> None:
    if reason := can_keep(tmp_path):
        pytest.skip(reason)
    source, dest = tmp_path / "source", tmp_path / "dest"
    build_pair(source, dest, seed, swaps=False)
    if "-D" in options:
        add_specials(source, dest, seed)
    if "xattrs" in options or "acls" in options:
        adorn_pair(source, dest, seed, with_acls=True)
    expected = rsync(source, dest, "-ni", "--no-D", *plain(options.split()))
    assert difference(itemized(source, dest, *options.split()), expected) == []
