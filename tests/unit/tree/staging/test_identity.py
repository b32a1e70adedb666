"""Attacks by users who may write where files are staged: none of their files is written, chowned or placed."""

from __future__ import annotations

import errno
import os
import random
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from mrsync.tree.staging import staged_files
from mrsync.tree.staging.commit import Commit
from mrsync.tree.staging.identity import inode_generation
from mrsync.tree.staging.staged_files import PLACED, SAT_OUT, WHOLE
from tests.trees import differences
from tests.unit.tree.breaking import PAGE, Session, in_a_process_that_is_killed
from tests.unit.tree.staging.resuming import SHORT_TICK_NS, let_it_settle
from tests.unit.tree.syncing import NOBODY, leftovers

MINE = b"what the attacker wrote"

Attack = Callable[[Path, Path], None]  # (a staged file, something that the attacker has)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mrsync.tree.staging.journal.FLUSH_S", 0.0)
    monkeypatch.setattr("mrsync.tree.source.scanner.TICK_NS", SHORT_TICK_NS)


@pytest.fixture
def trees(tmp_path: Path) -> Path:
    """Two files of several pages, in a directory that belongs to nobody on the target."""
    chance = random.Random(3)
    (tmp_path / "source" / "open").mkdir(parents=True)
    for name, mode in (("program", 0o4755), ("secret", 0o600)):
        (tmp_path / "source" / "open" / name).write_bytes(chance.randbytes(8 * PAGE))
        (tmp_path / "source" / "open" / name).chmod(mode)
    (tmp_path / "dest" / "open").mkdir(parents=True)
    own = tmp_path / "dest" / "open" / "own"
    own.write_bytes(MINE)
    own.chmod(0o666)
    if os.geteuid() == 0:
        for path in (tmp_path / "dest" / "open", own):
            os.chown(path, NOBODY, NOBODY)
    let_it_settle()
    return tmp_path


def put_own(staged: Path, own: Path) -> None:
    staged.rename(staged.with_name("taken"))
    own.rename(staged)


def put_link(staged: Path, own: Path) -> None:
    staged.unlink()
    staged.symlink_to(own)


def put_hard_link(staged: Path, own: Path) -> None:
    """Own stands for /etc/shadow."""
    staged.unlink()
    os.link(own, staged)


def put_fifo(staged: Path, own: Path) -> None:
    staged.unlink()
    os.mkfifo(staged)


def put_socket(staged: Path, own: Path) -> None:
    staged.unlink()
    with socket.socket(socket.AF_UNIX) as made:
        here = os.getcwd()
        os.chdir(staged.parent)  # paths of sockets are short
        made.bind(staged.name)
        os.chdir(here)


def put_directory(staged: Path, own: Path) -> None:
    staged.unlink()
    staged.mkdir()


def put_new(staged: Path, own: Path) -> None:
    """It may get the same inode number."""
    staged.unlink()
    staged.write_bytes(MINE)


def add_name(staged: Path, own: Path) -> None:
    os.link(staged, staged.with_name("kept"))


ATTACKS = [put_own, put_link, put_hard_link, put_fifo, put_socket, put_directory, put_new, add_name]


def files_staged(dest: Path) -> list[Path]:
    return sorted(path for path in leftovers(dest) if path.suffix != ".journal")


def files_of_the_attacker(dest: Path) -> list[Path]:
    """Wherever they are by now."""
    files = [path for path in (dest / "open").iterdir() if path.is_file()]
    return [path for path in files if path.read_bytes() == MINE]


def is_given(path: Path) -> bool:
    """Whether a file has what only the source's files should have."""
    return path.lstat().st_mode & 0o7000 != 0


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_partial_file_is_opened_again_only_if_it_is_the_same(
    trees: Path, attack: Attack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staged_files, "FILES_OPEN_MAX", 1)
    run = Session(trees / "source", trees / "dest")
    run.cast([0, 8])  # the second closes the first
    staged = files_staged(trees / "dest")[0]
    attack(staged, trees / "dest" / "open" / "own")
    before = (trees / "dest" / "open" / "own").lstat() if attack is not put_own else None
    for page in (1, 2):
        run.stage.write(page * PAGE, run.contents.read(page * PAGE, PAGE))
    assert run.stage.states[0] == SAT_OUT
    assert [file for file, _ in run.stage.take_sat_out()] == [0]
    if before is not None:
        assert (trees / "dest" / "open" / "own").read_bytes() == MINE
    run.break_off()
    assert not any(map(is_given, files_of_the_attacker(trees / "dest")))


@pytest.mark.parametrize("attack", ATTACKS)
def test_only_staged_files_are_renamed_into_place(trees: Path, attack: Attack) -> None:
    run = Session(trees / "source", trees / "dest").cast()
    assert run.stage.states[0] == WHOLE
    attack(files_staged(trees / "dest")[0], trees / "dest" / "open" / "own")
    failures = Commit(run.stage).commit(0, 2)
    assert [(failure.errno, failure.path) for failure in failures] == [(errno.ESTALE, b"open/program")]
    assert not os.path.lexists(trees / "dest" / "open" / "program")
    assert run.stage.states[1] == PLACED
    assert (trees / "dest" / "open" / "secret").read_bytes() == (trees / "source" / "open" / "secret").read_bytes()
    run.break_off()


def swap(one: Path, other: Path) -> None:
    aside = one.with_name("aside")
    one.rename(aside)
    other.rename(one)
    aside.rename(other)


def test_numbers_of_staged_files_cannot_be_swapped(trees: Path) -> None:
    run = Session(trees / "source", trees / "dest").cast()
    swap(*files_staged(trees / "dest"))
    assert len(Commit(run.stage).commit(0, 2)) == 2
    assert sorted(os.listdir(trees / "dest" / "open")) == ["own"] or leftovers(trees / "dest")
    run.break_off()
    assert not os.path.lexists(trees / "dest" / "open" / "program")


def test_file_swapped_before_the_rename_is_removed_from_a_new_directory(
    trees: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new directory is closed to the attacker, the one where its files are staged is not."""
    (trees / "source" / "open" / "closed").mkdir(mode=0o755)
    (trees / "source" / "open" / "closed" / "tool").write_bytes(b"good")
    run = Session(trees / "source", trees / "dest").cast()
    rename = os.rename
    own = trees / "dest" / "open" / "own"

    def swapping(source: bytes, target: bytes, **fds: int) -> None:
        if target == b"tool":
            put_own(trees / "dest" / "open" / os.fsdecode(source), own)
        rename(source, target, **fds)

    monkeypatch.setattr(os, "rename", swapping)
    failures = Commit(run.stage).commit(0, run.plan.file_count)
    assert [failure.path for failure in failures] == [b"open/closed/tool"]
    assert os.listdir(trees / "dest" / "open" / "closed") == []
    run.break_off()


@pytest.mark.parametrize("attack", [put_own, put_link, put_hard_link, put_fifo, put_new, add_name])
@pytest.mark.parametrize("pages", [[0, 1, 2], list(range(8))])
def test_resume_uses_only_the_files_that_were_staged(trees: Path, attack: Attack, pages: list[int]) -> None:
    in_a_process_that_is_killed(lambda: Session(trees / "source", trees / "dest").cast(pages))
    (staged,) = files_staged(trees / "dest")
    attack(staged, trees / "dest" / "open" / "own")
    run = Session(trees / "source", trees / "dest")
    assert run.held == {}
    assert run.whole_files() == 0
    assert not any(map(is_given, files_of_the_attacker(trees / "dest")))
    assert run.cast().finish().failures == []
    assert differences(trees / "source", trees / "dest") == []


@pytest.mark.parametrize("pages", [[0, 1, 8, 9], list(range(16))])
def test_swapped_numbers_are_not_taken_up(trees: Path, pages: list[int]) -> None:
    in_a_process_that_is_killed(lambda: Session(trees / "source", trees / "dest").cast(pages))
    swap(*files_staged(trees / "dest"))
    run = Session(trees / "source", trees / "dest")
    assert run.held == {}
    assert run.whole_files() == 0
    assert run.cast().finish().failures == []
    assert differences(trees / "source", trees / "dest") == []


def test_a_file_that_is_swapped_while_it_is_taken_up_is_cast(trees: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_a_process_that_is_killed(lambda: Session(trees / "source", trees / "dest").cast([0, 1]))
    (staged,) = files_staged(trees / "dest")
    rename = os.rename

    def swapping(source: bytes, target: bytes, **fds: int) -> None:
        if source == os.fsencode(staged.name):
            put_own(staged, trees / "dest" / "open" / "own")
        rename(source, target, **fds)

    monkeypatch.setattr(os, "rename", swapping)
    run = Session(trees / "source", trees / "dest")
    assert run.held == {}
    assert not any(map(is_given, files_of_the_attacker(trees / "dest")))
    run.break_off()


def journal_of(dest: Path) -> Path:
    (journal,) = dest.glob(".mrsync-*.journal")
    return journal


def as_fifo(journal: Path) -> None:
    journal.unlink()
    os.mkfifo(journal, 0o600)


def as_copy(journal: Path) -> None:
    """As a user can make one who chooses what root writes: by way of the source."""
    data = journal.read_bytes()
    kept = journal.with_name("kept")
    journal.rename(kept)  # its inode number stays taken
    journal.write_bytes(data)
    journal.chmod(0o600)


def as_link(journal: Path) -> None:
    journal.rename(journal.with_name("kept"))
    journal.symlink_to("kept")


def as_device(journal: Path) -> None:
    if os.geteuid():
        pytest.skip("only root makes devices")
    journal.unlink()
    os.mknod(journal, 0o020600, os.makedev(1, 5))


@pytest.mark.parametrize("attack", [as_fifo, as_copy, as_link, as_device])
def test_another_file_does_not_pass_for_the_journal(trees: Path, attack: Callable[[Path], None]) -> None:
    in_a_process_that_is_killed(lambda: Session(trees / "source", trees / "dest").cast([0, 1]))
    attack(journal_of(trees / "dest"))
    run = Session(trees / "source", trees / "dest")
    assert run.held == {}
    assert run.cast().finish().failures == []
    assert differences(trees / "source", trees / "dest") == []


def test_the_journal_of_another_session_does_not_pass_for_this_one(trees: Path) -> None:
    """Its notes are about the same names, with other numbers."""
    in_a_process_that_is_killed(lambda: Session(trees / "source", trees / "dest").cast([0, 1]))
    journal = journal_of(trees / "dest")
    for path in [journal, *files_staged(trees / "dest")]:
        path.rename(path.with_name(path.name.replace(journal.name[8:24], "0123456789abcdef")))
    run = Session(trees / "source", trees / "dest")
    assert run.held == {}
    run.break_off()


def test_a_generation_tells_an_inode_from_the_last_one_of_its_number(tmp_path: Path) -> None:
    """Where the file system has generations."""
    path = tmp_path / "file"
    seen = []
    for _ in range(2):
        path.touch()
        with path.open("rb") as file:
            seen.append((os.fstat(file.fileno()).st_ino, inode_generation(file.fileno())))
        path.unlink()
    assert seen[0] != seen[1] or seen[0][1] == 0
