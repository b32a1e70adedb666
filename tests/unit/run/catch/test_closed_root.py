"""A destination of somebody else is refused only if nothing that differs could be changed in it."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mrsync.errors import FileError
from mrsync.run.catch.closed_root import check_reach
from mrsync.tree.compare.compare import compare
from mrsync.tree.destination.destination import Destination
from mrsync.tree.model.policy import Policy
from mrsync.tree.source.scan import scan
from mrsync.tree.staging.journal_reader import mark_closed_root
from tests.unit.tree.breaking import Session
from tests.unit.tree.syncing import NOBODY, as_nobody, leftovers, sync

ROOT = 0
TAG = "0123456789abcdef"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, whose directory is synced by somebody else")


@pytest.fixture
def trees(tmp_path: Path) -> tuple[Path, Path]:
    """A source, and an equal destination of root in which `ours` and all below it are nobody's."""
    source, dest = tmp_path / "source", tmp_path / "dest"
    for folder in ("ours/deep", "theirs"):
        (source / folder).mkdir(parents=True)
        (source / folder / "file").write_text(folder)
    (source / "file").touch()
    shutil.copytree(source, dest)
    for path in (dest / "ours", *(dest / "ours").rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    for path in (tmp_path, *tmp_path.parents):
        if not path.stat().st_mode & 0o077:  # made by pytest, with one more where several workers run
            path.chmod(0o755)
    return source, dest


@contextmanager
def effective(user: int) -> Iterator[None]:
    """Let this process have the rights of a user."""
    os.setegid(user)
    os.seteuid(user)
    try:
        yield
    finally:
        os.seteuid(ROOT)
        os.setegid(ROOT)


CHANGES: dict[str, tuple[Callable[[Path], object], bool]] = {
    "nothing": (lambda source: None, True),
    "a new file in the root": (lambda source: (source / "new").touch(), False),
    "a new directory in theirs": (lambda source: (source / "theirs/a/b").mkdir(parents=True), False),
    "a deletion in theirs": (lambda source: (source / "theirs/file").unlink(), False),
    "attributes in theirs": (lambda source: (source / "theirs/file").chmod(0o600), False),
    "a new directory in ours": (lambda source: (source / "ours/a/b").mkdir(parents=True), True),
    "a deletion in ours": (lambda source: (source / "ours/deep/file").unlink(), True),
    "attributes of ours": (lambda source: (source / "ours").chmod(0o700), True),
}


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("is_dry_run", [True, False])
def test_a_destination_is_refused_if_nothing_can_be_done(trees: tuple[Path, Path], name: str, is_dry_run: bool) -> None:
    source, dest = trees
    change, is_possible = CHANGES[name]
    change(source)

    def check() -> None:
        manifest = scan(os.fsencode(source), Policy(deletes=True)).manifest
        destination = Destination(os.fsencode(dest), is_dry_run=is_dry_run)
        comparison = compare(manifest, destination)
        if is_possible:
            check_reach(destination, comparison)
        else:
            with pytest.raises(FileError, match=r"^cannot write to .*: Permission denied; with --sudo, root writes"):
                check_reach(destination, comparison)

    as_nobody(check)


def test_staged_files_of_others_stay_while_those_run(trees: tuple[Path, Path]) -> None:
    source, dest = trees
    (source / "ours/deep/file").write_text("new")

    def run() -> None:
        first = Session(source, dest).cast()
        staged = leftovers(dest)
        Session(source, dest).break_off()  # it is over, and the next one finds the mark of the first one all the same
        Session(source, dest).break_off()
        assert leftovers(dest) == staged != []
        first.destination.close()  # as if killed
        Session(source, dest).break_off()
        assert leftovers(dest) == []

    as_nobody(run)


@pytest.mark.parametrize("is_closed", [True, False])
@pytest.mark.parametrize("is_root_first", [True, False])
def test_staged_files_of_another_user_stay_while_that_one_runs(
    trees: tuple[Path, Path], is_closed: bool, is_root_first: bool
) -> None:
    """Both may remove each other's files in `ours`. In a closed root the one who is not root has no journal."""
    source, dest = trees
    (source / "ours/deep/file").write_text("new")
    if not is_closed:
        os.chown(dest, NOBODY, NOBODY)
    first, second = (ROOT, NOBODY) if is_root_first else (NOBODY, ROOT)
    with effective(first):
        running = Session(source, dest).cast()
    staged = leftovers(dest)
    with effective(second):
        Session(source, dest).break_off()
    assert leftovers(dest) == staged != []
    running.stage.notes.close()  # as if killed
    running.destination.close()
    with effective(ROOT):
        Session(source, dest).break_off()
    assert leftovers(dest) == []


def test_marking_waits_for_a_search_for_marks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looking, marking = os.open(tmp_path, os.O_RDONLY), os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(looking, fcntl.LOCK_EX)
    monkeypatch.setattr("time.sleep", lambda seconds: fcntl.flock(looking, fcntl.LOCK_UN))
    mark_closed_root(marking)
    with pytest.raises(BlockingIOError):
        fcntl.flock(looking, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(marking)
    os.close(looking)


@pytest.mark.parametrize(("first", "second"), [(NOBODY, NOBODY), (NOBODY, ROOT), (ROOT, NOBODY)])
def test_two_targets_of_a_session_in_a_closed_root(trees: tuple[Path, Path], first: int, second: int) -> None:
    """As with one host that has two names, at one of which root writes. The second one leaves the first one alone."""
    source, dest = trees
    (source / "ours/deep/file").write_text("new")
    before = sorted(os.listdir(dest))
    with effective(first):
        running = Session(source, dest, tag=TAG)
    with effective(second), pytest.raises(FileError, match=r"^another target of this session has the same directory"):
        Session(source, dest, tag=TAG)
    with effective(first):
        running.cast().finish()
        Session(source, dest, tag=TAG).break_off()  # the first one is over
    assert (dest / "ours/deep/file").read_text() == "new"
    assert sorted(os.listdir(dest)) == before
    with effective(second):
        Session(source, dest).break_off()


@pytest.mark.parametrize("inplace", [True, False])
def test_a_file_of_ours_in_the_root_can_be_overwritten(trees: tuple[Path, Path], inplace: bool) -> None:
    source, dest = trees
    (source / "file").write_text("new")
    os.chown(dest / "file", NOBODY, NOBODY)

    def check() -> None:
        policy = Policy(inplace=inplace)
        destination = Destination(os.fsencode(dest))
        comparison = compare(scan(os.fsencode(source), policy).manifest, destination)
        if not inplace:
            with pytest.raises(FileError, match="cannot write to"):
                check_reach(destination, comparison)
            return
        check_reach(destination, comparison)
        assert sync(source, dest, policy=policy).failures == []
        assert (dest / "file").read_text() == "new"

    as_nobody(check)


def test_what_can_be_changed_is_changed(trees: tuple[Path, Path]) -> None:
    source, dest = trees
    (source / "ours/deep/file").write_text("new")

    def run() -> None:
        outcome = sync(source, dest)
        assert (outcome.sat_out, outcome.failures) == ([], [])

    def kept() -> tuple[int, int, int, int]:
        status = dest.stat()
        return status.st_mode, status.st_uid, status.st_mtime_ns, status.st_ctime_ns

    before = kept()
    as_nobody(run)
    assert (dest / "ours/deep/file").read_text() == "new"
    assert kept() == before
