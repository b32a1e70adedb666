"""Both rounds of a session under one numbering: a file that is cast once more replaces what came of it at first."""

from __future__ import annotations

import os
from pathlib import Path

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
from mrsync.tree.staging.finish import finish
from mrsync.tree.staging.stage import Stage
from mrsync.tree.staging.staging_rounds import StagingRounds
from tests.trees import differences
from tests.unit.tree.syncing import cast, leftovers


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


def trees(tmp_path: Path, **files: str) -> tuple[Path, Path]:
    source, dest = tmp_path / "source", tmp_path / "dest"
    source.mkdir()
    for name, text in files.items():
        (source / name).write_text(text)
    return source, dest


def test_numbers_go_on_and_exceptions_find_their_round(tmp_path: Path) -> None:
    source, dest = trees(tmp_path, a="1", b="2", c="3")
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
    source, dest = trees(tmp_path, a="old")
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
    source, dest = trees(tmp_path, a="same")
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
    source, dest = trees(tmp_path, a="new", b="absent")
    dest.mkdir()
    (dest / "a").write_text("theirs")
    session = Session(source, dest, Policy(ignore_existing=True))
    (source / "a").write_text("newer")
    assert session.again("a") == []
    session.rounds.commit(0, 2, [])
    session.finish()
    assert (dest / "a").read_text() == "theirs"
    assert (dest / "b").read_text() == "absent"
