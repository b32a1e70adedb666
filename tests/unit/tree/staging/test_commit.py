"""Staged files replace whatever has their names, never through a link; a second round replaces the first."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from unittest.mock import Mock

import pytest

from mrsync.tree.compare.compare import compare, compare_again
from mrsync.tree.compare.result import Comparison
from mrsync.tree.destination.destination import Destination
from mrsync.tree.fs.owners import localize_owners
from mrsync.tree.model.manifest import Manifest
from mrsync.tree.model.manifest_patch import decode_again, encode_again
from mrsync.tree.model.plan import Plan
from mrsync.tree.model.policy import Policy
from mrsync.tree.source.planning import build_plan
from mrsync.tree.source.reader import ContentsReader
from mrsync.tree.source.rescan import rescan
from mrsync.tree.source.scan import scan
from mrsync.tree.source.selection import Selection
from mrsync.tree.staging.commit import Commit, StagingRounds
from mrsync.tree.staging.finish import finish
from mrsync.tree.staging.stage import Stage
from tests.trees import differences
from tests.unit.tree.staging.test_stage import Bench, bench
from tests.unit.tree.syncing import as_nobody, cast, leftovers, nobodys_directory


def staged(top: Path) -> Bench:
    on = bench(top / "source", top / "dest")
    cast(on.source, on.stage)
    return on


@pytest.fixture
def trees(tmp_path: Path) -> Path:
    """source/ with a, b/x and c; dest/ empty."""
    (tmp_path / "source" / "b").mkdir(parents=True)
    for name in ("a", "b/x", "c"):
        (tmp_path / "source" / name).write_text(f"new {name}")
    (tmp_path / "dest").mkdir()
    return tmp_path


def contents(top: Path) -> dict[str, str]:
    return {str(path.relative_to(top)): path.read_text() for path in top.rglob("*") if path.is_file()}


def test_files_are_placed_piece_by_piece_and_once(trees: Path) -> None:
    commit = Commit(staged(trees).stage)
    assert commit.commit(0, 1) == []
    assert set(contents(trees / "dest")) - {path.name for path in leftovers(trees / "dest")} == {"a"}
    assert commit.commit(0, 3) == []
    (trees / "dest" / "a").write_text("changed since")
    assert commit.commit(0, 3) == []
    assert contents(trees / "dest") == {"a": "changed since", "b/x": "new b/x", "c": "new c"}
    assert commit.files_updated == 3


def test_an_obstacle_to_one_file_does_not_stop_the_next(tmp_path: Path) -> None:
    source, dest = tmp_path / "source", tmp_path / "dest"
    (source / "new").mkdir(parents=True)
    for name in ("1", "2", "3", "4", "new/5", "new/6"):
        (source / name).write_text(name)
    (dest / "2").mkdir(parents=True)
    (dest / "3").mkdir()
    on = staged(tmp_path)
    (dest / "3" / "came since").touch()
    on.manifest.policy = Policy(deletes=False)
    commit = Commit(on.stage)
    (failure,) = commit.commit(0, 6)
    assert (failure.path, failure.errno) == (b"3", errno.ENOTEMPTY)
    assert contents(dest) == {"1": "1", "2": "2", "3/came since": "", "4": "4", "new/5": "new/5", "new/6": "new/6"}
    assert commit.files_updated == 5


def test_directories_are_looked_up_once_for_all_files_in_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "source" / "deep").mkdir(parents=True)
    for number in range(100):
        (tmp_path / "source" / "deep" / f"{number}").write_text(f"{number}")
    (tmp_path / "dest" / "deep").mkdir(parents=True)
    on = staged(tmp_path)
    directories = on.stage.destination.directories
    look_up = Mock(side_effect=directories.pair)
    monkeypatch.setattr(directories, "pair", look_up)
    assert Commit(on.stage).commit(0, 100) == []
    assert look_up.call_count == 1
    assert contents(tmp_path / "dest") == {f"deep/{number}": f"{number}" for number in range(100)}


def test_exceptions_are_removed_not_placed(trees: Path) -> None:
    commit = Commit(staged(trees).stage)
    assert commit.commit(0, 3, [(0, 1), (2, 9)]) == []
    # Entry order: a, c, b/x.
    assert contents(trees / "dest") == {"c": "new c"}
    assert commit.files_updated == 1


@pytest.mark.parametrize("is_needed_here", [False, True])
def test_members_are_linked_to_a_leader_that_is_right_though_it_is_an_exception(
    trees: Path, is_needed_here: bool
) -> None:
    os.link(trees / "source" / "a", trees / "source" / "b" / "member")
    if not is_needed_here:
        os.system(f"cp -a {trees}/source/a {trees}/dest/a")
    on = bench(trees / "source", trees / "dest")
    # Others need all of it: a is file 0.
    plan = Plan(on.manifest, [(1, 2)], {})
    stage = Stage(on.stage.destination, on.manifest, plan, on.comparison.needs if is_needed_here else [], "00fe")
    stage.write(0, b"new a")
    commit = Commit(stage)
    commit.commit(0, 1)
    commit.commit(0, 1, [(0, 1)])  # in place, or not needed here: what others cannot take is no matter
    assert finish(stage, on.comparison).failures == []
    assert (trees / "dest" / "b" / "member").samefile(trees / "dest" / "a")


def test_failed_rename_is_reported_and_removes_the_staged_file(trees: Path) -> None:
    on = staged(trees)
    on.manifest.policy = Policy(deletes=False)
    (trees / "dest" / "a").mkdir()
    (trees / "dest" / "a" / "kept").touch()
    commit = Commit(on.stage)
    (failure,) = commit.commit(0, 3)
    assert (failure.path, failure.errno) == (b"a", errno.ENOTEMPTY)
    assert set(contents(trees / "dest")) == {"a/kept", "b/x", "c"}
    assert commit.files_updated == 2


def test_vanished_staged_file_is_reported(trees: Path) -> None:
    on = staged(trees)
    (trees / "dest" / on.stage.files.name(0).decode()).unlink()
    (failure,) = Commit(on.stage).commit(0, 3)
    assert (failure.path, failure.errno) == (b"a", errno.ENOENT)


def test_a_directory_that_became_a_link_is_replaced_not_followed(trees: Path) -> None:
    (trees / "dest" / "b").mkdir()
    on = staged(trees)
    on.stage.destination.directories.close()
    (trees / "outside").mkdir()
    staged_file = on.stage.files.name(2).decode()
    (trees / "dest" / "b" / staged_file).unlink()
    (trees / "dest" / "b").rmdir()
    (trees / "dest" / "b").symlink_to("../outside")
    (failure,) = Commit(on.stage).commit(0, 3)
    assert failure.path == b"b/x"
    assert list((trees / "outside").iterdir()) == []


def test_our_own_locked_directories_are_opened_for_a_time() -> None:
    def run(top: Path) -> None:
        (top / "source" / "locked").mkdir(parents=True)
        for name in ("locked/old", "locked/new"):
            (top / "source" / name).write_text("contents")
        (top / "dest" / "locked").mkdir(parents=True)
        (top / "dest" / "locked" / "old").write_text("old contents")
        (top / "dest" / "locked").chmod(0o555)
        on = staged(top)
        assert on.stage.take_sat_out() == []
        assert Commit(on.stage).commit(0, 2) == []
        assert contents(top / "dest") == {"locked/old": "contents", "locked/new": "contents"}
        on.stage.cleanup()
        assert stat.S_IMODE((top / "dest" / "locked").stat().st_mode) == 0o555

    with nobodys_directory() as top:
        as_nobody(lambda: run(top))


def test_a_directory_locked_between_staging_and_commit_does_no_harm() -> None:
    def run(top: Path) -> None:
        (top / "source" / "sub").mkdir(parents=True)
        (top / "source" / "sub" / "file").write_text("contents")
        (top / "dest" / "sub").mkdir(parents=True)
        on = staged(top)
        (top / "dest" / "sub").chmod(0o555)
        assert Commit(on.stage).commit(0, 1) == []
        assert contents(top / "dest") == {"sub/file": "contents"}

    with nobodys_directory() as top:
        as_nobody(lambda: run(top))


class Session:
    """A master and a target; the files of the first round are staged, and `change` was called meanwhile."""

    def __init__(self, source: Path, dest: Path, policy: Policy = Policy()) -> None:  # noqa: B008
        self.source, self.dest = source, dest
        self.scan = scan(os.fsencode(source), policy)
        self.manifest = Manifest.decode(self.scan.manifest.encode())
        self.destination = Destination(os.fsencode(dest))
        self.comparison = compare(self.manifest, self.destination)
        planned = build_plan(self.scan, self.comparison.needs)
        stage = self._staged(Plan.decode(planned.encode(), self.manifest), self.comparison, "aa", planned)
        self.rounds = StagingRounds(stage)

    def again(self, *names: str) -> list[tuple[int, int]]:
        """A second round with these files; what the target needs of them."""
        entries = [self.manifest.names.index(os.fsencode(name)) for name in names]
        looked = rescan(self.scan, Selection(), entries)
        planned = build_plan(looked.scan, [(entry, entry + 1) for entry in looked.patch.entries])
        patch, plan = decode_again(encode_again(looked.patch, planned), self.manifest, localize_owners)
        again = compare_again(self.manifest, self.destination, patch.entries)
        self.comparison.amend(patch.entries, again)
        self.rounds.add(self._staged(plan, again, "bb", planned))
        return again.needs

    def _staged(self, plan: Plan, comparison: Comparison, tag: str, planned: Plan) -> Stage:
        stage = Stage(self.destination, self.manifest, plan, comparison.needs, tag)
        contents = ContentsReader(os.fsencode(self.source), self.scan.manifest, planned)
        cast(contents, stage)
        assert contents.changed == {}
        contents.close()
        return stage

    def finish(self) -> None:
        assert finish(self.rounds.first, self.comparison, again=self.rounds.again).failures == []
        self.destination.close()
        assert leftovers(self.dest) == []


def source_and_dest(tmp_path: Path, **files: str) -> tuple[Path, Path]:
    source, dest = tmp_path / "source", tmp_path / "dest"
    source.mkdir()
    for name, text in files.items():
        (source / name).write_text(text)
    return source, dest


def test_numbers_go_on_and_exceptions_find_their_round(tmp_path: Path) -> None:
    source, dest = source_and_dest(tmp_path, a="1", b="2", c="3")
    session = Session(source, dest)
    rounds = session.rounds
    assert rounds.ready == 3
    assert rounds.commit(0, 1, []) == []
    (source / "b").write_text("new")
    (source / "c").write_text("newer")
    assert session.again("b", "c") == [(2, 4)]
    assert rounds.again is not None
    rounds.again.sit_out(1, 28)
    assert rounds.ready == 5
    assert rounds.take_sat_out() == [(4, 28)]
    assert rounds.commit(1, 5, [(1, 3), (4, 5)]) == []
    assert (rounds.files_updated, rounds.bytes_written) == (2, 11)
    session.finish()
    assert {path.name: path.read_text() for path in dest.iterdir()} == {"a": "1", "b": "new"}


def test_links_follow_a_leader_that_is_cast_once_more(tmp_path: Path) -> None:
    source, dest = source_and_dest(tmp_path, a="old")
    (source / "z").hardlink_to(source / "a")
    first = Session(source, dest)
    first.rounds.commit(0, 1, [])
    first.finish()
    (source / "b").write_text("another")
    session = Session(source, dest)  # needs only b
    (source / "z").write_text("new")
    assert session.again("a") == [(1, 2)]
    session.rounds.commit(0, 2, [])
    session.finish()
    assert differences(source, dest) == []
    assert (dest / "a").samefile(dest / "z")


def test_attributes_are_those_of_the_second_look(tmp_path: Path) -> None:
    """Mode and time of now, though only the mode differed when it was compared at first."""
    source, dest = source_and_dest(tmp_path, a="same")
    first = Session(source, dest)
    first.rounds.commit(0, 1, [])
    first.finish()
    (source / "a").chmod(0o600)
    session = Session(source, dest)
    assert len(session.comparison.mended) == 1
    (source / "a").chmod(0o751)
    (source / "a").write_text("new")
    session.again("a")
    session.rounds.commit(0, 1, [])
    session.finish()
    assert differences(source, dest) == []


def test_second_round_respects_files_to_leave_alone(tmp_path: Path) -> None:
    source, dest = source_and_dest(tmp_path, a="new", b="absent")
    dest.mkdir()
    (dest / "a").write_text("theirs")
    session = Session(source, dest, Policy(ignore_existing=True))
    (source / "a").write_text("newer")
    assert session.again("a") == []
    session.rounds.commit(0, 2, [])
    session.finish()
    assert (dest / "a").read_text() == "theirs"
    assert (dest / "b").read_text() == "absent"
