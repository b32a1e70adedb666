"""The next session uses what one left behind if it is ours and of the same file, and removes it otherwise."""

from __future__ import annotations

import errno
import os
import random
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mrsync.errors import FileError
from mrsync.tree.model.policy import Policy
from mrsync.tree.staging import journal as journal_module
from mrsync.tree.staging import journal_reader as reader_module
from mrsync.tree.staging.resume import RUNNING_WAIT_S
from mrsync.tree.staging.stage import Stage
from tests.support.waiting import HANG_S
from tests.trees import differences
from tests.unit.tree.breaking import PAGE, Session, in_a_process_that_is_killed
from tests.unit.tree.syncing import as_nobody, leftovers, nobodys_directory

BIG_PAGES = 40
SHORT_TICK_NS = 20_000_000


def let_it_settle() -> None:
    """Until no change of now can be mistaken for one that was seen."""
    time.sleep(2 * SHORT_TICK_NS / 1e9)


def fill(source: Path) -> None:
    """A large file, one with a hole, small ones, an empty one."""
    chance = random.Random(7)
    (source / "sub").mkdir(parents=True)
    (source / "big").write_bytes(chance.randbytes(BIG_PAGES * PAGE + 17))
    for number in range(20):
        (source / "sub" / f"small{number}").write_bytes(chance.randbytes(250))
    (source / "sub" / "empty").touch()
    with open(source / "sparse", "wb") as file:
        file.write(chance.randbytes(3000))
        file.seek(1 << 20)
        file.write(chance.randbytes(3000))
        file.truncate(2 << 20)
    let_it_settle()


@pytest.fixture
def trees(tmp_path: Path) -> Path:
    fill(tmp_path / "source")
    (tmp_path / "dest").mkdir()
    return tmp_path


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "FLUSH_S", 0.0)
    monkeypatch.setattr("mrsync.tree.source.scanner.TICK_NS", SHORT_TICK_NS)


def session(trees: Path, policy: Policy = Policy()) -> Session:  # noqa: B008
    return Session(trees / "source", trees / "dest", policy=policy)


def missing_pages(trees: Path) -> list[int]:
    """As of a session that did nothing."""
    run = session(trees)
    run.break_off()
    return run.pages


def finish(trees: Path, run: Session) -> None:
    """The rest comes: then the trees are equal, and nothing is left."""
    assert run.cast().finish().failures == []
    assert differences(trees / "source", trees / "dest") == []
    assert leftovers(trees / "dest") == []


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
    assert run.stage.journal is not None
    assert run.stage.journal.is_empty
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
    assert run.stage.journal is not None
    run.stage.journal.close()
    other.start_journal()  # the other one was killed, and this one is in its place
    assert other.journal is None


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


def test_a_directory_that_came_meanwhile_is_the_new_home(trees: Path) -> None:
    in_a_process_that_is_killed(lambda: session(trees).cast())
    (trees / "dest" / "sub").mkdir()
    run = session(trees)
    assert run.pages == []
    finish(trees, run)


CHANGES = ("rename", "writev", "unlink", "fchmod", "utime", "pwritev", "open", "close")


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


def staged(trees: Path, size: int) -> Path:
    (found,) = [path for path in leftovers(trees / "dest") if path.suffix != ".journal" and path.stat().st_size == size]
    return found


@pytest.fixture
def broken(trees: Path) -> Path:
    """The large file is complete, but not committed; others have not begun."""
    in_a_process_that_is_killed(lambda: session(trees).cast(range(BIG_PAGES + 1)))
    return trees


def wants_big(trees: Path) -> bool:
    run = session(trees)
    finish(trees, run)
    return bool(set(range(BIG_PAGES)) & set(run.pages))


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


def journal(trees: Path) -> Path:
    (found,) = (trees / "dest").glob(".mrsync-*.journal")
    return found


@pytest.mark.parametrize("way", ["link", "mode", "second name", "gone", "empty", "fifo", "directory"])
def test_modified_journal_is_not_used(broken: Path, way: str) -> None:
    path = journal(broken)
    if way == "mode":
        path.chmod(0o640)
    elif way == "second name":
        (broken / "other").hardlink_to(path)
    elif way == "empty":
        path.write_bytes(b"")
    else:
        path.rename(broken / "kept")
        if way == "link":
            path.symlink_to(broken / "kept")
        elif way == "fifo":
            os.mkfifo(path, 0o600)
        elif way == "directory":
            path.mkdir(0o600)
    assert wants_big(broken)


def test_damaged_journal_is_used_up_to_the_damage(broken: Path) -> None:
    path = journal(broken)
    data = path.read_bytes()
    chance = random.Random(3)
    for _ in range(300):
        spoilt = bytearray(data[: chance.randrange(len(data) + 1)])
        for _ in range(chance.choice((0, 1, 5))):
            if spoilt:
                spoilt[chance.randrange(len(spoilt))] ^= 1 << chance.randrange(8)
        path.write_bytes(spoilt)
        root = os.open(broken / "dest", os.O_RDONLY)
        found = reader_module.read_notes(root, path.name.split("-")[1].split(".")[0].encode())
        os.close(root)
        for file in range(30):
            note = found.find(file) if found else None
            if note is not None:
                assert all(0 <= first < end <= note.size for first, end in note.pieces)


def test_after_a_reboot_only_synced_pages_count(broken: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader_module, "boot_id", lambda: b"another boot")
    assert wants_big(broken)


def test_synced_notes_count_after_a_reboot(trees: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "LARGE_BYTES", BIG_PAGES * PAGE)
    monkeypatch.setattr("mrsync.tree.staging.checkpoint.INTERVAL_S", 0.0)

    def cast() -> None:
        run = session(trees).cast(range(20))
        deadline = time.monotonic() + HANG_S
        before = -1
        while run.stage.journal is not None and run.stage.journal.position != before:
            before = run.stage.journal.position
            assert time.monotonic() < deadline
            while threading.active_count() > 1:
                time.sleep(0.001)
            run.stage.write_many([])  # notes what was synced
        monkeypatch.setattr("mrsync.tree.staging.checkpoint.INTERVAL_S", 60.0)
        run.cast(range(20, 50))

    in_a_process_that_is_killed(cast)
    monkeypatch.setattr(reader_module, "boot_id", lambda: b"another boot")
    run = session(trees)
    assert run.pages == list(range(run.pages[0], 54))
    assert run.pages[0] in (20, 21)  # one checkpoint was due already when the interval was made long
    finish(trees, run)


def test_an_unknown_boot_is_never_the_same(broken: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader_module, "boot_id", lambda: b"")
    monkeypatch.setattr(journal_module, "boot_id", lambda: b"")
    assert wants_big(broken)


def test_resuming_without_root() -> None:
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
