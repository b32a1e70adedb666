"""Attributes are never given to contents that somebody else may have put there, nor to names that are not ours."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from mrsync.tree.compare import update_safety
from mrsync.tree.compare.compare import compare
from mrsync.tree.compare.prefetch import Prefetch
from mrsync.tree.compare.result import Comparison
from mrsync.tree.destination.destination import Destination
from mrsync.tree.model.policy import Policy
from mrsync.tree.source.scan import scan
from tests.trees import differences
from tests.unit.tree.breaking import PAGE, Session
from tests.unit.tree.syncing import NOBODY, sync

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give files away")

GOOD = os.urandom(5 * PAGE + 3)
EVIL = os.urandom(len(GOOD))
NS = 1_500_000_000_123_456_789


@pytest.fixture
def trees(tmp_path: Path) -> Path:
    """dest/open is nobody's; both trees have the file `tool` in it, alike."""
    tmp_path.chmod(0o755)
    for tree in ("source", "dest"):
        (tmp_path / tree / "open").mkdir(parents=True)
        put(tmp_path / tree / "open" / "tool", GOOD)
    for tree in ("source", "dest"):
        os.chown(tmp_path / tree / "open", NOBODY, NOBODY)
    return tmp_path


def put(path: Path, data: bytes, *, uid: int = 0, mode: int = 0o755) -> None:
    path.write_bytes(data)
    os.chown(path, uid, uid)
    path.chmod(mode)
    os.utime(path, ns=(NS, NS))


def tool(trees: Path) -> os.stat_result:
    return (trees / "dest" / "open" / "tool").stat()


def run(trees: Path, policy: Policy = Policy()) -> Session:  # noqa: B008
    """To the end; which pages were cast is known to the session."""
    session = Session(trees / "source", trees / "dest", policy=policy)
    session.cast()
    assert session.finish().failures == []
    assert differences(trees / "source", trees / "dest") == []
    return session


@pytest.mark.parametrize("mode", [0o755, 0o4755, 0o2755, 0o600])
def test_nothing_is_given_to_forged_contents(trees: Path, mode: int) -> None:
    """Size and time are those of the source's file; nobody keeps it open."""
    (trees / "source" / "open" / "tool").chmod(mode)
    put(trees / "dest" / "open" / "tool", EVIL, uid=NOBODY)
    with open(trees / "dest" / "open" / "tool", "r+b") as kept:
        session = run(trees)
        assert session.comparison.restaged.tolist() == [session.manifest.find(b"open/tool")]
        kept.write(EVIL)
    assert (trees / "dest" / "open" / "tool").read_bytes() == GOOD
    assert tool(trees).st_mode & 0o7777 == mode


def test_right_contents_of_somebody_else_are_copied_here_and_not_cast(trees: Path) -> None:
    put(trees / "dest" / "open" / "tool", GOOD, uid=NOBODY)
    before = tool(trees).st_ino
    session = run(trees)
    assert session.pages == []
    assert tool(trees).st_ino != before


@pytest.mark.parametrize("bits", [stat.S_ISUID, stat.S_ISGID])
def test_special_bits_are_set_only_on_checked_contents(trees: Path, bits: int) -> None:
    """Even if it is root's: a former owner who still has it open may have changed it since."""
    put(trees / "dest" / "open" / "tool", EVIL)
    (trees / "source" / "open" / "tool").chmod(0o755 | bits)
    run(trees)
    assert (trees / "dest" / "open" / "tool").read_bytes() == GOOD


def test_capabilities_are_set_only_on_checked_contents(trees: Path) -> None:
    if subprocess.run(["setcap", "cap_net_raw+ep", trees / "source" / "open" / "tool"], check=False).returncode:
        pytest.skip("no capabilities here")
    os.utime(trees / "source" / "open" / "tool", ns=(NS, NS))
    put(trees / "dest" / "open" / "tool", EVIL)
    run(trees, Policy(xattrs=True))
    assert (trees / "dest" / "open" / "tool").read_bytes() == GOOD
    assert os.getxattr(trees / "dest" / "open" / "tool", "security.capability")


@pytest.mark.parametrize(
    "widen",
    [lambda path: path.chmod(0o644), lambda path: os.chown(path, NOBODY, NOBODY), lambda path: os.chown(path, 0, 1)],
)
def test_a_secret_that_is_renamed_into_the_place_of_a_file_stays_one(
    trees: Path, widen: Callable[[Path], None]
) -> None:
    """Where others may rename what is root's: size and time can be had from the secret itself."""
    put(trees / "dest" / "open" / "tool", EVIL, mode=0o600)
    widen(trees / "source" / "open" / "tool")
    run(trees)
    assert (trees / "dest" / "open" / "tool").read_bytes() == GOOD


def test_a_directory_that_others_may_write_to_makes_all_below_it_shared(trees: Path) -> None:
    for tree in ("source", "dest"):
        (trees / tree / "open" / "closed").mkdir(mode=0o755)
        put(trees / tree / "open" / "closed" / "tool", EVIL if tree == "dest" else GOOD, mode=0o600)
        os.chown(trees / tree / "open", NOBODY, NOBODY)
    (trees / "source" / "open" / "closed" / "tool").chmod(0o644)
    run(trees)
    assert (trees / "dest" / "open" / "closed" / "tool").read_bytes() == GOOD


def test_private_files_are_changed_in_place(trees: Path) -> None:
    for tree in ("source", "dest"):
        put(trees / tree / "own", GOOD)
    os.chown(trees / "source" / "own", NOBODY, NOBODY)
    (trees / "source" / "own").chmod(0o777)
    before = (trees / "dest" / "own").stat().st_ino
    session = run(trees)
    assert session.comparison.needs == []
    assert (trees / "dest" / "own").stat().st_ino == before


def test_a_file_with_a_name_elsewhere_is_staged_anew(trees: Path) -> None:
    """As is /etc/shadow that somebody linked into the tree."""
    shadow = trees / "shadow"
    put(shadow, EVIL, mode=0o600)
    (trees / "dest" / "open" / "tool").unlink()
    os.link(shadow, trees / "dest" / "open" / "tool")
    run(trees)
    assert shadow.read_bytes() == EVIL
    assert shadow.stat().st_mode & 0o7777 == 0o600


def test_names_of_one_file_stay_that_and_lose_the_foreign_one(trees: Path) -> None:
    for tree in ("source", "dest"):
        put(trees / tree / "a", GOOD)
        os.link(trees / tree / "a", trees / tree / "b")
    (trees / "source" / "a").chmod(0o700)
    os.link(trees / "dest" / "b", trees / "foreign")
    session = run(trees)
    assert session.pages == []
    assert (trees / "dest" / "a").stat().st_nlink == 2
    assert (trees / "foreign").stat().st_mode & 0o7777 == 0o755


def test_names_of_one_file_are_changed_where_they_are(trees: Path) -> None:
    for tree in ("source", "dest"):
        put(trees / tree / "a", GOOD)
        os.link(trees / tree / "a", trees / tree / "b")
    os.link(trees / "source" / "a", trees / "source" / "c")
    (trees / "source" / "a").chmod(0o700)
    before = (trees / "dest" / "a").stat().st_ino
    run(trees)
    assert (trees / "dest" / "a").stat().st_ino == before


@pytest.mark.parametrize("kind", ["file", "link", "fifo", "directory"])
def test_entries_swapped_after_the_compare_are_left_alone(trees: Path, kind: str) -> None:
    """A secret of the same kind takes the place of what is to be given to nobody."""
    make: Callable[[Path], object] = {
        "file": lambda path: put(path, GOOD),
        "link": lambda path: path.symlink_to("tool"),
        "fifo": lambda path: os.mkfifo(path),
        "directory": lambda path: path.mkdir(mode=0o700),
    }[kind]
    for tree in ("source", "dest"):
        make(trees / tree / "x")
        os.utime(trees / tree / "x", ns=(NS, NS), follow_symlinks=False)
    os.chown(trees / "source" / "x", NOBODY, NOBODY, follow_symlinks=False)

    def swap(step: str) -> None:
        if step == "compared":
            (trees / "dest" / "x").rename(trees / "aside")
            make(trees / "dest" / "x")

    outcome = sync(trees / "source", trees / "dest", policy=Policy(specials=True), between=swap)
    assert [failure.path for failure in outcome.result.failures] == [b"x"]
    assert (trees / "dest" / "x").lstat().st_uid == 0


def compared(trees: Path, swap: Callable[[], object] = lambda: None, policy: Policy = Policy()) -> Comparison:  # noqa: B008
    """Compare the trees. swap: is called when the directories of the destination were listed."""
    prefetch, dest = Prefetch(), os.fsencode(trees / "dest")
    prefetch.read(dest, lambda count: None)
    swap()
    destination = Destination(dest)
    try:
        return compare(scan(os.fsencode(trees / "source"), policy).manifest, destination, prefetch=prefetch)
    finally:
        destination.close()


@pytest.mark.parametrize("has_twin", [False, True])
def test_a_directory_swapped_during_the_compare_stops_only_what_is_in_it(trees: Path, has_twin: bool) -> None:
    for tree in ("source", "dest"):
        put(trees / tree / "other", GOOD)
        if has_twin:
            (trees / tree / "open" / "twin").hardlink_to(trees / tree / "open" / "tool")
    for name in ("open/tool", "other"):
        (trees / "source" / name).chmod(0o700)

    def swap() -> None:
        (trees / "dest" / "open").rename(trees / "dest" / "aside")
        (trees / "dest" / "open").symlink_to("aside")

    comparison = compared(trees, swap)
    assert [failure.sentence for failure in comparison.failures] == ["cannot compare open/tool: Not a directory"]
    assert 2 in comparison.mended  # other
    assert comparison.needs == [(3, 4)]  # open/tool: where it cannot be staged, no target may commit it


def test_a_swapped_directory_in_which_mounts_are_spared_stops_only_what_is_in_it(trees: Path) -> None:
    put(trees / "dest" / "other", GOOD)
    put(trees / "dest" / "open" / "more", GOOD)

    def swap() -> None:
        (trees / "dest" / "open").rename(trees / "dest" / "aside")
        (trees / "dest" / "open").symlink_to("aside")

    comparison = compared(trees, swap, Policy(deletes=True, spares_mounts=True))
    assert [failure.sentence for failure in comparison.failures] == ["cannot read open: Not a directory"]
    assert comparison.extraneous == [(0, b"other")]


def test_a_probe_that_is_taken_away_stops_only_its_file(trees: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others may watch for it in a directory of theirs."""

    def take_away(fd: int, uid: int) -> NoReturn:
        for path in (trees / "dest" / "open").glob(".mrsync-*"):
            path.unlink()
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    put(trees / "dest" / "open" / "tool", GOOD, uid=NOBODY)
    monkeypatch.setattr(update_safety, "_powers_over", take_away)
    comparison = compared(trees)
    assert [failure.path for failure in comparison.failures] == [b"open/tool"]
    assert comparison.needs == [(2, 3)]  # the file itself


def test_in_a_dry_run_it_is_a_change_of_attributes(trees: Path) -> None:
    from mrsync.tree.compare.compare import compare
    from mrsync.tree.destination.destination import Destination
    from mrsync.tree.model.manifest import Manifest
    from mrsync.tree.source.scan import scan

    put(trees / "dest" / "open" / "tool", GOOD, uid=NOBODY)
    manifest = Manifest.decode(scan(os.fsencode(trees / "source")).manifest.encode())
    comparison = compare(manifest, Destination(os.fsencode(trees / "dest"), is_dry_run=True))
    assert comparison.needs == []
    assert manifest.find(b"open/tool") in comparison.mended
