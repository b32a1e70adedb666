"""The next session uses what one left behind if it is ours and of the same file, and removes it otherwise."""

from __future__ import annotations

import errno
import fcntl
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from mrsync.errors import FileError
from mrsync.tree.model.policy import Policy
from mrsync.tree.staging.resume import RUNNING_WAIT_S
from mrsync.tree.staging.stage import Stage
from tests.trees import differences
from tests.unit.tree.breaking import PAGE, in_a_process_that_is_killed
from tests.unit.tree.staging.resuming import (
    BIG_PAGES,
    fill,
    finish,
    let_it_settle,
    missing_pages,
    session,
    staged,
    wants_big,
)
from tests.unit.tree.syncing import as_nobody, leftovers, nobodys_directory

pytestmark = pytest.mark.usefixtures("impatient")


CHANGES = ("rename", "writev", "unlink", "fchmod", "utime", "pwritev", "open", "close")


@pytest.mark.parametrize("seed", range(8))
def test_only_missing_pages_are_wanted(trees: Path, seed: int) -> None:
    pages = missing_pages(trees)
    arrived = random.Random(seed).sample(pages, len(pages) // 2)
    in_a_process_that_is_killed(lambda: session(trees).cast(arrived))
    run = session(trees)
    assert set(run.pages) >= set(pages) - set(arrived)
    assert len(run.pages) <= len(pages) - len(arrived) + 6  # where small files share pages
    finish(trees, run)


def test_a_break_after_another_loses_nothing(trees: Path) -> None:
    pages = missing_pages(trees)
    for first in range(0, 50, 10):
        in_a_process_that_is_killed(lambda first=first: session(trees).cast(pages[first : first + 10]))  # type: ignore[misc]
    run = session(trees)
    assert run.pages == pages[50:]
    finish(trees, run)


def test_whole_files_that_were_not_committed_are_taken_up(trees: Path) -> None:
    in_a_process_that_is_killed(lambda: session(trees).cast())
    run = session(trees)
    assert run.pages == []
    assert run.whole_files() == run.plan.file_count == 23
    finish(trees, run)


def test_an_orderly_end_keeps_them_too(trees: Path) -> None:
    run = session(trees)
    run.cast(run.pages[:30]).break_off()
    assert [path.suffix for path in leftovers(trees / "dest")].count(".journal") == 1
    again = session(trees)
    assert again.pages == run.pages[30:]
    finish(trees, again)


def test_nothing_is_left_where_nothing_arrived(trees: Path) -> None:
    session(trees).break_off()
    assert leftovers(trees / "dest") == []


def test_nothing_is_left_where_all_that_arrived_was_given_up(trees: Path) -> None:
    run = session(trees)
    run.cast(run.pages[:30])
    for file in range(run.plan.file_count):
        run.stage.sit_out(file, errno.EBUSY)
    run.break_off()
    assert leftovers(trees / "dest") == []


def test_without_partial_staged_files_are_removed(trees: Path) -> None:
    in_a_process_that_is_killed(lambda: session(trees).cast([0, 1, 2]))
    run = session(trees, policy=Policy(partial=False))
    assert run.scan.inodes == run.plan.inodes == run.plan.ctimes
    run.cast([0, 1])
    assert run.stage.notes.journal is not None
    assert run.stage.notes.journal.is_empty
    run.break_off()
    assert leftovers(trees / "dest") == []


@pytest.mark.parametrize("partial", [True, False])
def test_two_targets_of_a_session_in_one_directory(trees: Path, *, partial: bool) -> None:
    run = session(trees, policy=Policy(partial=partial))
    (journal,) = (trees / "dest").glob(".mrsync-*.journal")
    tag = journal.name.removeprefix(".mrsync-").removesuffix(".journal")
    other = Stage(run.destination, run.manifest, run.plan, run.comparison.needs, tag)
    with pytest.raises(FileError, match="another target of this session has the same directory"):
        other.start_journal()
    run.cast([0, 1])
    assert run.stage.notes.journal is not None
    run.stage.notes.journal.close()
    other.start_journal()  # the other one was killed, and this one is in its place
    assert other.notes.journal is None


@pytest.mark.parametrize("partial", [True, False])
def test_another_session_leaves_the_files_of_a_running_one_alone(trees: Path, *, partial: bool) -> None:
    run = session(trees, policy=Policy(partial=partial)).cast([0, 1, 2])
    staged = leftovers(trees / "dest")
    session(trees, policy=Policy(partial=partial)).break_off()
    assert leftovers(trees / "dest") == staged
    run.break_off()


@pytest.mark.parametrize("way", ["written", "touched", "replaced", "renamed", "longer"])
def test_a_source_that_changed_meanwhile_is_cast_anew(trees: Path, way: str) -> None:
    pages = missing_pages(trees)
    in_a_process_that_is_killed(lambda: session(trees).cast(pages[:20]))
    big = trees / "source" / "big"
    status = big.stat()
    old = big.read_bytes()
    if way == "written":
        big.write_bytes(bytes(len(old)))
        os.utime(big, ns=(status.st_atime_ns, status.st_mtime_ns))  # what was written is hidden, but for the ctime
    elif way == "touched":
        os.utime(big, ns=(1, 1))
    elif way == "replaced":
        (trees / "source" / "new").write_bytes(old)
        os.utime(trees / "source" / "new", ns=(status.st_atime_ns, status.st_mtime_ns))
        (trees / "source" / "new").rename(big)
    elif way == "longer":
        big.write_bytes(old + b"more")
    else:
        big.rename(trees / "source" / "bigger")
    let_it_settle()
    run = session(trees)
    assert run.held == {}
    assert run.pages == pages
    finish(trees, run)


def test_a_change_in_the_tick_of_the_scan_is_not_trusted(trees: Path) -> None:
    (trees / "source" / "big").write_bytes(random.randbytes(5000))
    run = session(trees)
    assert run.plan.inodes[0] == 0
    run.cast([0, 1]).break_off()
    assert leftovers(trees / "dest") == []


def test_a_session_that_still_runs_is_left_alone(trees: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mrsync.tree.staging.resume.RUNNING_WAIT_S", 0.01)
    running = session(trees)
    running.cast(running.pages[:30])
    before = sorted(leftovers(trees / "dest"))
    other = session(trees)
    assert other.pages == running.pages
    other.break_off()
    assert sorted(leftovers(trees / "dest")) == before
    running.cast(running.pages[30:]).finish()
    assert leftovers(trees / "dest") == []
    assert RUNNING_WAIT_S >= 1  # a catcher needs a moment to notice that its master was killed


def test_sessions_that_look_at_a_journal_at_once_do_not_take_one_another_for_its_writer(trees: Path) -> None:
    in_a_process_that_is_killed(lambda: session(trees).cast())
    (path,) = (trees / "dest").glob(".mrsync-*.journal")
    with open(path, "rb") as looks:
        fcntl.flock(looks, fcntl.LOCK_SH)
        run = session(trees)
        assert run.pages == []
        finish(trees, run)


def test_a_directory_that_came_meanwhile_is_the_new_home(trees: Path) -> None:
    in_a_process_that_is_killed(lambda: session(trees).cast())
    (trees / "dest" / "sub").mkdir()
    run = session(trees)
    assert run.pages == []
    finish(trees, run)


@pytest.mark.parametrize("seed", range(2))
def test_killed_at_any_step_it_costs_one_file_at_most(trees: Path, seed: int) -> None:
    """Taking over is interrupted again and again, each time a bit later, whatever it does next."""
    chance = random.Random(seed)
    pages = missing_pages(trees)
    in_a_process_that_is_killed(lambda: session(trees).cast(chance.sample(pages, 40)))
    left = missing_pages(trees)
    most = 0
    for steps in range(1, 400, 7):
        in_a_process_that_is_killed(lambda steps=steps: _die_after(trees, steps))  # type: ignore[misc]
        now = missing_pages(trees)
        most = max(most, len(now))
        assert set(now) <= set(left) | set(pages[BIG_PAGES:]), "of the large file nothing is lost"
    assert most <= len(left) + 6
    finish(trees, session(trees))


@pytest.mark.parametrize("seed", range(1))
def test_killed_at_any_step_of_all_every_file_is_old_or_new(trees: Path, seed: int) -> None:
    finish(trees, session(trees))
    names = [path for path in sorted((trees / "source").rglob("*")) if path.is_file()]
    for steps in range(3 + seed, 450, 31):
        old = {path: path.read_bytes() for path in names}
        for path in names:
            path.write_bytes(bytes([steps % 251]) * max(1, len(old[path])))
        let_it_settle()
        in_a_process_that_is_killed(lambda steps=steps: _die_after(trees, steps, is_whole=True))  # type: ignore[misc]
        for path in names:
            seen = (trees / "dest" / path.relative_to(trees / "source")).read_bytes()
            assert seen in (old[path], path.read_bytes())
        finish(trees, session(trees))


def _die_after(trees: Path, steps: int, *, is_whole: bool = False) -> None:
    """Run a session whose process ends just before this step, counted in calls that change something."""
    left = [steps]

    def counted(name: str) -> Callable[..., object]:
        function = getattr(os, name)

        def call(*arguments: object, **details: object) -> object:
            left[0] -= 1
            if not left[0]:
                os._exit(0)
            return function(*arguments, **details)

        return call

    for name in CHANGES:
        setattr(os, name, counted(name))
    run = session(trees)
    if is_whole:
        run.cast().finish()


# what is not ours, or no longer what we left


def test_the_large_file_is_taken_up(broken: Path) -> None:
    assert not wants_big(broken)


def test_a_link_is_not_followed(broken: Path, tmp_path: Path) -> None:
    left = staged(broken, BIG_PAGES * PAGE + 17)
    shutil.copy(left, tmp_path / "elsewhere")
    left.unlink()
    left.symlink_to(tmp_path / "elsewhere")
    before = (tmp_path / "elsewhere").stat()
    assert wants_big(broken)
    assert (tmp_path / "elsewhere").stat() == before


def test_staged_files_with_another_link_are_not_resumed(broken: Path, tmp_path: Path) -> None:
    (tmp_path / "other").hardlink_to(staged(broken, BIG_PAGES * PAGE + 17))
    assert wants_big(broken)
    assert (tmp_path / "other").stat().st_mode & 0o777 == 0o644


def test_shortened_staged_file_is_not_resumed(broken: Path) -> None:
    os.truncate(staged(broken, BIG_PAGES * PAGE + 17), 5000)
    assert wants_big(broken)


def test_staged_files_that_others_can_write_to_must_be_untouched(trees: Path) -> None:
    (trees / "source" / "big").chmod(0o666)
    let_it_settle()
    in_a_process_that_is_killed(lambda: session(trees).cast(range(BIG_PAGES + 1)))
    assert not wants_big(trees)
    shutil.rmtree(trees / "dest")
    (trees / "dest").mkdir()
    in_a_process_that_is_killed(lambda: session(trees).cast(range(BIG_PAGES + 1)))
    left = staged(trees, BIG_PAGES * PAGE + 17)
    status = left.stat()
    left.write_bytes(bytes(BIG_PAGES * PAGE + 17))
    os.utime(left, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert wants_big(trees)


def test_a_fifo_does_not_block(broken: Path) -> None:
    left = staged(broken, BIG_PAGES * PAGE + 17)
    left.unlink()
    os.mkfifo(left)
    assert wants_big(broken)


def test_an_ordinary_user_resumes_files_of_any_mode() -> None:
    with nobodys_directory() as home:

        def run() -> None:
            fill(home / "source")
            (home / "source" / "big").chmod(0o444)
            (home / "source" / "sub" / "small0").chmod(0o000)
            (home / "dest").mkdir()
            let_it_settle()
            pages = missing_pages(home)
            in_a_process_that_is_killed(lambda: session(home).cast(pages[:-4]))
            again = session(home)
            assert len(again.pages) <= 6
            again.cast()
            assert again.finish().failures == []
            (home / "source" / "sub" / "small0").chmod(0o600)
            (home / "dest" / "sub" / "small0").chmod(0o600)
            assert [line for line in differences(home / "source", home / "dest") if "small0" not in line] == []
            assert leftovers(home / "dest") == []

        as_nobody(run)
