"""Itemized dry runs say line by line what rsync -ain says, in another order."""

from __future__ import annotations

import os
import shutil
import stat
import time
from collections import Counter
from pathlib import Path

import pytest

from mrsync.cli.output.itemized import change_lines
from mrsync.cli.settings.options import parse_mrsync
from mrsync.run.cast.ledger import Ledger
from mrsync.run.cast.outcome import Outcome, TargetOutcome, TargetState
from mrsync.run.catch.itemizing import itemize
from mrsync.tree.compare.coming_deletions import foresee_deletions
from mrsync.tree.compare.compare import compare
from mrsync.tree.destination.destination import Destination
from mrsync.tree.model.manifest import Manifest
from mrsync.tree.model.policy import Policy
from mrsync.tree.source.scan import scan
from tests.disk.test_options import plain
from tests.oracle import add_specials, adorn_pair, build_pair, can_keep, rsync
from tests.trees import differences
from tests.unit.tree.syncing import sync

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
    told = itemize(comparison.items, set(), destination.removals.deletions, lambda count: None)
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


def test_letters_of_hard_links_that_are_no_files(tmp_path: Path) -> None:
    source, dest = tmp_path / "source", tmp_path / "dest"
    build_hard_links(source)
    dest.mkdir()
    for is_broken in (False, True):
        if is_broken:
            break_hard_links(dest)
        expected = rsync(source, dest, "-ni", "--no-D", "-D")
        assert difference(itemized(source, dest, "-D"), expected) == []
        outcome = sync(source, dest, policy=Policy(devices=True, specials=True))
        assert outcome.failures == []
        assert differences(source, dest) == []
        assert sync(source, dest, policy=Policy(devices=True, specials=True)).is_noop


def build_hard_links(source: Path) -> None:
    """A soft link and a fifo of several names; as root a device, too."""
    (source / "d").mkdir(parents=True)
    (source / "link").symlink_to("nowhere")
    os.mkfifo(source / "pipe")
    if not os.geteuid():
        os.mknod(source / "device", 0o600 | stat.S_IFCHR, os.makedev(1, 3))
    for path in [path for path in source.iterdir() if path.name != "d"]:
        os.utime(path, ns=(0, 10**18), follow_symlinks=False)
        os.link(path, source / "d" / path.name, follow_symlinks=False)
        os.link(path, source / f"{path.name}2", follow_symlinks=False)


def break_hard_links(dest: Path) -> None:
    """Some names become entries of their own, alike and not alike."""
    for name in ("link2", "d/pipe", "d/link"):
        (dest / name).unlink()
    (dest / "link2").symlink_to("nowhere")
    os.mkfifo(dest / "d" / "pipe")
    (dest / "d" / "link").symlink_to("elsewhere")
    for name in ("link2", "d/pipe"):
        os.utime(dest / name, ns=(0, 10**18 - 10**15), follow_symlinks=False)


def test_soft_links_that_are_one_here_only_become_two(tmp_path: Path) -> None:
    source, dest = tmp_path / "source", tmp_path / "dest"
    for tree in (source, dest):
        tree.mkdir()
        (tree / "one").symlink_to("x")
    (source / "two").symlink_to("x")
    os.link(dest / "one", dest / "two", follow_symlinks=False)
    time.sleep(0.02)  # a tick of the kernel's clock: what is done to the one name shows at the other
    assert sync(source, dest).failures == []
    assert differences(source, dest) == []
