"""The last steps on a target: failures are reported, and doing everything again does no harm."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from mrsync.tree.compare.compare import compare
from mrsync.tree.compare.result import Comparison
from mrsync.tree.destination.destination import Destination
from mrsync.tree.model.manifest import Manifest
from mrsync.tree.model.plan import Plan
from mrsync.tree.model.policy import Policy
from mrsync.tree.source.scan import scan
from mrsync.tree.staging.finish import Result, finish
from mrsync.tree.staging.stage import Stage
from tests.support.one_target import OneTarget
from tests.trees import differences
from tests.unit.tree.syncing import as_nobody, leftovers, nobodys_directory, sync


@pytest.fixture
def trees(tmp_path: Path) -> Path:
    (tmp_path / "source").mkdir()
    (tmp_path / "dest").mkdir()
    return tmp_path


def prepared(top: Path) -> tuple[Stage, Comparison]:
    """For trees that need no contents."""
    manifest = Manifest.decode(scan(os.fsencode(top / "source")).manifest.encode())
    destination = Destination(os.fsencode(top / "dest"))
    comparison = compare(manifest, destination)
    assert comparison.needs == []
    return Stage(destination, manifest, Plan(manifest, [], {}), [], "00ff"), comparison


def both(top: Path, name: str, text: str = "contents") -> None:
    for tree in ("source", "dest"):
        (top / tree / name).parent.mkdir(parents=True, exist_ok=True)
        (top / tree / name).write_text(text)
        os.utime(top / tree / name, ns=(0, 10**18))


def counts(result: Result) -> tuple[int, int, int, int]:
    return result.created, result.mended, result.deleted, result.errors


def test_the_result_counts_all_that_was_done(trees: Path) -> None:
    both(trees, "file")
    both(trees, "leader")
    (trees / "source" / "file").chmod(0o750)
    os.link(trees / "source" / "leader", trees / "source" / "member")
    (trees / "source" / "new" / "sub").mkdir(parents=True)
    (trees / "source" / "link").symlink_to("file")
    (trees / "dest" / "extra" / "sub").mkdir(parents=True)
    (trees / "dest" / "extra" / "sub" / "file").touch()
    os.utime(trees / "dest", ns=(0, 0))
    stage, comparison = prepared(trees)
    result = finish(stage, comparison)
    # made: new, new/sub, link, member; mended: file and the root; deleted: extra, sub, file
    assert counts(result) == (4, 2, 3, 0)
    assert differences(trees / "source", trees / "dest") == []


def test_finishing_twice_does_no_harm(trees: Path) -> None:
    both(trees, "leader")
    (trees / "source" / "new").mkdir()
    os.link(trees / "source" / "leader", trees / "source" / "new" / "member")
    (trees / "source" / "link").symlink_to("new")
    (trees / "dest" / "extra").touch()
    stage, comparison = prepared(trees)
    for _ in range(2):
        assert finish(stage, comparison).failures == []
        assert differences(trees / "source", trees / "dest") == []
        assert leftovers(trees / "dest") == []


def test_a_file_becomes_a_member(trees: Path) -> None:
    both(trees, "leader")
    both(trees, "member", "other contents")
    (trees / "source" / "member").unlink()
    os.link(trees / "source" / "leader", trees / "source" / "member")
    stage, comparison = prepared(trees)
    assert finish(stage, comparison).failures == []
    assert differences(trees / "source", trees / "dest") == []
    assert leftovers(trees / "dest") == []


def test_a_leader_that_is_no_longer_a_file_is_not_linked_to(trees: Path) -> None:
    both(trees, "leader")
    os.link(trees / "source" / "leader", trees / "source" / "member")
    stage, comparison = prepared(trees)
    (trees / "dest" / "leader").unlink()
    (trees / "dest" / "leader").symlink_to("/etc/hostname")
    (failure,) = finish(stage, comparison).failures
    assert (failure.path, failure.errno) == (b"member", errno.ESTALE)
    assert leftovers(trees / "dest") == []


def test_a_file_that_became_a_link_is_not_mended_through_it(trees: Path) -> None:
    both(trees, "file")
    (trees / "source" / "file").chmod(0o777)
    (trees / "precious").touch(mode=0o600)
    stage, comparison = prepared(trees)
    (trees / "dest" / "file").unlink()
    (trees / "dest" / "file").symlink_to("../precious")
    (failure,) = finish(stage, comparison).failures
    assert (failure.path, failure.errno) == (b"file", errno.ESTALE)
    assert stat.S_IMODE((trees / "precious").stat().st_mode) == 0o600


def test_replaced_directory_is_reported(trees: Path) -> None:
    for tree in ("source", "dest"):
        (trees / tree / "sub" / "below").mkdir(parents=True)
        os.utime(trees / tree / "sub" / "below", ns=(0, 0))
    os.utime(trees / "source" / "sub", ns=(0, 0))
    stage, comparison = prepared(trees)
    stage.destination.directories.open(1)
    (trees / "dest" / "sub").rename(trees / "away")
    (trees / "dest" / "sub").mkdir()
    failures = finish(stage, comparison).failures
    assert [(failure.path, failure.errno) for failure in failures] == [(b"sub", errno.ESTALE)]


@pytest.mark.parametrize("is_replaced", [False, True])
def test_a_destination_that_was_moved_away_is_reported(trees: Path, is_replaced: bool) -> None:
    stage, comparison = prepared(trees)
    (trees / "dest").rename(trees / "moved")
    if is_replaced:
        (trees / "dest").mkdir()
    failures = finish(stage, comparison).failures
    assert [failure.errno for failure in failures] == [errno.ESTALE if is_replaced else errno.ENOENT]


def test_extras_that_vanished_are_no_failure(trees: Path) -> None:
    (trees / "dest" / "extra").touch()
    os.utime(trees / "dest", ns=(0, 0))
    stage, comparison = prepared(trees)
    (trees / "dest" / "extra").unlink()
    assert counts(finish(stage, comparison)) == (0, 1, 0, 0)


def test_targets_of_extraneous_links_are_not_deleted(trees: Path) -> None:
    (trees / "outside").mkdir()
    (trees / "outside" / "file").touch()
    (trees / "dest" / "extra").symlink_to("../outside")
    stage, comparison = prepared(trees)
    assert finish(stage, comparison).deleted == 1
    assert (trees / "outside" / "file").exists()


def test_directories_get_their_times_after_all_that_happens_in_them(trees: Path) -> None:
    for tree in ("source", "dest"):
        (trees / tree / "a" / "b").mkdir(parents=True)
    (trees / "dest" / "a" / "b" / "extra").touch()
    (trees / "source" / "a" / "b" / "link").symlink_to("x")
    for path in ("a/b", "a", ""):
        for tree in ("source", "dest"):
            os.utime(trees / tree / path, ns=(0, 5))
    stage, comparison = prepared(trees)
    assert comparison.mended.tolist() == []
    assert finish(stage, comparison).failures == []
    assert differences(trees / "source", trees / "dest") == []


def test_our_own_locked_tree_gets_its_final_modes() -> None:
    def run(top: Path) -> None:
        for tree in ("source", "dest"):
            (top / tree / "locked" / "below").mkdir(parents=True)
        (top / "source" / "locked" / "below" / "link").symlink_to("x")
        (top / "dest" / "locked" / "extra" / "sub").mkdir(parents=True)
        (top / "source" / "locked" / "below").chmod(0o500)
        (top / "source" / "locked").chmod(0o555)
        (top / "dest" / "locked" / "extra").chmod(0o000)
        (top / "dest" / "locked" / "below").chmod(0o000)
        (top / "dest" / "locked").chmod(0o400)
        stage, comparison = prepared(top)
        result = finish(stage, comparison)
        assert result.failures == []
        assert result.deleted == 2
        assert differences(top / "source", top / "dest") == []

    with nobodys_directory() as top:
        as_nobody(lambda: run(top))


def test_final_modes_that_lock_us_out_are_set_last() -> None:
    def run(top: Path, manifest: Manifest) -> None:
        destination = Destination(os.fsencode(top / "dest"))
        comparison = compare(manifest, destination)
        stage = Stage(destination, manifest, Plan(manifest, [], {}), [], "00ff")
        assert finish(stage, comparison).failures == []
        destination.close()
        for path in ("locked", "locked/below", "locked/below/bottom"):
            assert stat.S_IMODE((top / "dest" / path).stat().st_mode) == 0o400
            (top / "dest" / path).chmod(0o700)
        destination = Destination(os.fsencode(top / "dest"))
        assert compare(manifest, destination).mended.tolist() == [1, 2, 3]
        destination.close()

    if os.geteuid():
        pytest.skip("needs root to read what its owner may not")
    with nobodys_directory() as top:
        (top / "source" / "locked" / "below" / "bottom").mkdir(parents=True)
        for path in ("locked/below/bottom", "locked/below", "locked"):
            (top / "source" / path).chmod(0o400)
        manifest = scan(os.fsencode(top / "source")).manifest
        as_nobody(lambda: run(top, manifest))


def test_denied_changes_are_reported() -> None:
    def run(top: Path) -> None:
        stage, comparison = prepared(top)
        failures = {(failure.action, failure.path): failure.errno for failure in finish(stage, comparison).failures}
        assert failures == {
            ("make", b"theirs/link"): errno.EACCES,
            ("delete", b"theirs/extra"): errno.EACCES,
            ("set the mode", b"theirs/file"): errno.EPERM,
            ("set the time", b"theirs"): errno.EPERM,
        }
        assert (top / "dest" / "ours").is_symlink()

    if os.geteuid():
        pytest.skip("needs root to make directories of others")
    with nobodys_directory() as top:
        both(top, "theirs/file")
        (top / "source" / "theirs" / "file").chmod(0o600)
        (top / "source" / "theirs" / "link").symlink_to("x")
        (top / "source" / "ours").symlink_to("x")
        (top / "dest" / "theirs" / "extra").touch()
        os.utime(top / "dest" / "theirs", ns=(0, 0))
        os.chmod(top / "source" / "theirs" / "file", 0o646)
        os.chown(top / "dest", 65534, 65534)
        as_nobody(lambda: run(top))


def test_activity_adds_up_to_the_number_of_changes(trees: Path) -> None:
    for i in range(1200):
        (trees / "source" / f"l{i}").symlink_to("x")
    (trees / "dest" / "extra").mkdir()
    for i in range(1500):
        (trees / "dest" / "extra" / str(i)).touch()
    stage, comparison = prepared(trees)
    told: list[int] = []
    assert finish(stage, comparison, told.append).failures == []
    assert sum(told) >= 2700
    assert len(told) >= 3


def test_a_deleted_directory_with_a_file_that_may_not_be_deleted(trees: Path) -> None:
    (trees / "dest" / "extra").mkdir()
    for name in ("another", "file", "third"):
        (trees / "dest" / "extra" / name).touch()
    if os.geteuid() or os.system(f"chattr +i {trees / 'dest' / 'extra' / 'file'} 2>/dev/null"):
        pytest.skip("needs root and a file system with immutable files")
    try:
        result = sync(trees / "source", trees / "dest").result
        assert [(failure.path, failure.errno) for failure in result.failures] == [(b"extra/file", errno.EPERM)]
        assert os.listdir(trees / "dest" / "extra") == ["file"]
    finally:
        os.system(f"chattr -i {trees / 'dest' / 'extra' / 'file'}")


def test_where_there_are_no_hard_links_members_are_copies(trees: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **more: object) -> None:
        raise OSError(errno.EMLINK, "too many links")

    (trees / "source" / "leader").write_text("contents")
    os.link(trees / "source" / "leader", trees / "source" / "member")
    monkeypatch.setattr(os, "link", refuse)
    for copied in (True, False):
        before = (trees / "dest" / "member").stat().st_ino if not copied else 0
        done = sync(trees / "source", trees / "dest")
        assert [tuple(failure) for failure in done.failures] == [(errno.EMLINK, b"member", "make it a hard link", 0)]
        assert (trees / "dest" / "member").read_text() == "contents"
        assert copied or (trees / "dest" / "member").stat().st_ino == before
        assert leftovers(trees / "dest") == []
    monkeypatch.undo()
    assert sync(trees / "source", trees / "dest").failures == []
    assert differences(trees / "source", trees / "dest") == []


def test_file_swapped_for_a_leader_gets_no_link(trees: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    both(trees, "leader")
    both(trees, "secret")
    os.link(trees / "source" / "leader", trees / "source" / "member")
    (trees / "source" / "secret").unlink()
    link = os.link

    def swapping(source: bytes, *arguments: Any, **more: Any) -> None:
        os.replace(trees / "dest" / "secret", trees / "dest" / "leader")
        link(source, *arguments, **more)

    monkeypatch.setattr(os, "link", swapping)
    outcome = sync(trees / "source", trees / "dest", deletes=False)
    assert [(failure.errno, failure.path) for failure in outcome.failures] == [(errno.ESTALE, b"member")]
    assert not (trees / "dest" / "member").exists()
    assert leftovers(trees / "dest") == []


def test_a_missing_directory_that_is_filled_meanwhile_stays(trees: Path) -> None:
    for name in ("empty", "filled"):
        (trees / "dest" / name).mkdir()
    found = scan(os.fsencode(trees / "source"))
    found.manifest.policy = Policy(deletes=False, missing=("empty", "filled"))
    destination = Destination(os.fsencode(trees / "dest"))
    comparison = compare(found.manifest, destination)
    (trees / "dest/filled/new").touch()
    done = finish(Stage(destination, found.manifest, Plan(found.manifest, [], {}), [], "00ff"), comparison)
    assert not (trees / "dest/empty").exists()
    assert (trees / "dest/filled/new").exists()
    assert (done.deleted, [failure.errno for failure in done.failures]) == (1, [errno.ENOTEMPTY])


def test_a_merge_file_that_came_and_cannot_be_used_is_reported(trees: Path) -> None:
    (trees / "source/.rules").write_text("nonsense\n")
    (trees / "dest/extra").write_text("stays, since nobody knows whether a rule protects it")
    policy = Policy(deletes=True, rules=("dir-merge .rules",), rereads_rules=True)
    target = OneTarget(trees / "source", trees / "dest", policy)
    assert not target.run().is_clean
    assert target.finished is not None
    failures = target.finished.result.failures
    assert [(failure.path, failure.action) for failure in failures] == [(b"", "use the filter rules in")]
    assert (trees / "dest/extra").exists()
