"""Deltas: whatever was done to a file, its new contents come out, and little of them is cast."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mrsync.tree.delta import basis as basis_module
from mrsync.tree.model.policy import Policy
from mrsync.tree.staging import journal as journal_module
from mrsync.tree.staging import journal_reader as reader_module
from tests.trees import differences
from tests.unit.tree.breaking import PAGE, Session, in_a_process_that_is_killed
from tests.unit.tree.staging.resuming import SHORT_TICK_NS, let_it_settle
from tests.unit.tree.syncing import leftovers

DELTA = Policy(delta=True)
SIZE = 100 * PAGE
Change = Callable[[bytes, random.Random], bytes]


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(basis_module, "BYTES_MIN", 10 * PAGE)
    monkeypatch.setattr(journal_module, "FLUSH_S", 0.0)
    monkeypatch.setattr("mrsync.tree.source.scanner.TICK_NS", SHORT_TICK_NS)


@pytest.fixture
def trees(tmp_path: Path) -> Path:
    """A small file, then a large one, so that blocks and file do not begin together; equal trees at first."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "a").write_bytes(bytes(333))
    (source / "big").write_bytes(random.Random(1).randbytes(SIZE))
    shutil.copytree(source, tmp_path / "dest")
    return tmp_path


def session(trees: Path, policy: Policy = DELTA, between: Callable[[], object] = lambda: None) -> Session:
    return Session(trees / "source", trees / "dest", policy=policy, between=between)


def finish(trees: Path, run: Session) -> None:
    assert run.cast().finish().failures == []
    assert differences(trees / "source", trees / "dest") == []
    assert leftovers(trees / "dest") == []


def change(trees: Path, how: Change, seed: int = 0) -> None:
    big = trees / "source" / "big"
    big.write_bytes(how(big.read_bytes(), random.Random(seed)))
    (trees / "source" / "a").write_bytes(b"2" * 333)
    os.utime(trees / "source" / "a", ns=(1, 1))
    let_it_settle()


def same(data: bytes, chance: random.Random) -> bytes:
    return data


def append(data: bytes, chance: random.Random) -> bytes:
    return data + b"x"


def overwrite(data: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(SIZE - 10)
    return data[:at] + chance.randbytes(10) + data[at + 10 :]


def insert(data: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(SIZE)
    return data[:at] + chance.randbytes(chance.randrange(1, 50)) + data[at:]


def insert_much(data: bytes, chance: random.Random) -> bytes:
    return data[:4000] + chance.randbytes(30 * PAGE) + data[4000:]


def take_out(data: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(SIZE // 2)
    return data[:at] + data[at + chance.randrange(1, SIZE // 4) :]


def cut(data: bytes, chance: random.Random) -> bytes:
    return data[: SIZE // 2]


def renew(data: bytes, chance: random.Random) -> bytes:
    return chance.randbytes(SIZE)


def wipe(data: bytes, chance: random.Random) -> bytes:
    return data[:5000] + bytes(SIZE - 5000)


def repeat(data: bytes, chance: random.Random) -> bytes:
    return data[:4000] + data[60 * PAGE : 63 * PAGE] + data[4000 + 3 * PAGE :]


@pytest.mark.parametrize(
    ("how", "pages"),
    [
        (same, 1),
        (append, 2),
        (overwrite, 3),
        (insert, 4),
        (insert_much, 34),
        (take_out, 4),
        (cut, 2),
        (renew, 101),
        (wipe, 97),
        (repeat, 3),
    ],
)
def test_little_of_a_large_file_is_cast(trees: Path, how: Change, pages: int) -> None:
    """One page more is that of the small file."""
    for seed in range(10, 14):
        change(trees, how, seed)
        run = session(trees)
        assert len(run.pages) <= pages
        finish(trees, run)


@pytest.mark.parametrize("seed", range(30))
def test_any_edits_come_out_right(trees: Path, seed: int) -> None:
    chance = random.Random(seed)

    def edit(data: bytes, chance: random.Random) -> bytes:
        for _ in range(chance.randrange(1, 8)):
            data = chance.choice((append, overwrite, insert, insert_much, take_out, cut, wipe))(data, chance)
        return data

    change(trees, edit, seed)
    policy = Policy(delta=True, sparse=chance.random() < 0.5)
    if chance.random() < 0.5:
        in_a_process_that_is_killed(lambda: _break(trees, Policy(delta=chance.random() < 0.5), chance))
    finish(trees, session(trees, policy))


def _break(trees: Path, policy: Policy, chance: random.Random) -> None:
    run = session(trees, policy)
    run.cast(chance.sample(run.pages, len(run.pages) // 2))


def test_without_the_policy_all_is_cast(trees: Path) -> None:
    change(trees, append)
    run = session(trees, Policy())
    assert not run.plan.blocks
    assert len(run.pages) == 101
    finish(trees, run)


def test_copied_blocks_are_resumed_by_the_next_run(trees: Path) -> None:
    change(trees, insert_much)
    in_a_process_that_is_killed(lambda: session(trees))
    (trees / "dest" / "big").unlink()  # its blocks are in the staged file
    run = session(trees)
    assert len(run.pages) <= 34
    finish(trees, run)


def test_a_break_while_much_was_there_adds_up(trees: Path) -> None:
    change(trees, insert_much)
    wanted = session(trees)
    wanted.break_off()
    in_a_process_that_is_killed(lambda: session(trees).cast(wanted.pages[:20]))
    run = session(trees)
    assert run.pages == wanted.pages[20:]
    finish(trees, run)


@pytest.mark.parametrize("way", ["rewritten", "truncated", "gone", "a link", "a fifo", "a directory"])
def test_the_old_copy_may_become_anything_meanwhile(trees: Path, way: str) -> None:
    change(trees, overwrite)
    old = trees / "dest" / "big"

    def spoil() -> None:
        if way == "rewritten":
            old.write_bytes(os.urandom(SIZE))
        elif way == "truncated":
            os.truncate(old, 1234)
        else:
            old.rename(trees / "elsewhere")
            if way == "a link":
                old.symlink_to(trees / "elsewhere")
            elif way == "a fifo":
                os.mkfifo(old)
            elif way == "a directory":
                old.mkdir()

    run = session(trees, between=spoil)
    assert len(run.pages) == 101
    finish(trees, run)


def test_holes_stay_holes(trees: Path) -> None:
    big = trees / "source" / "big"
    with open(big, "r+b") as file:
        file.truncate(1 << 19)
        file.seek(1 << 18)
        file.write(os.urandom(9999))
    let_it_settle()
    run = session(trees)
    assert run.plan.extents
    assert len(run.pages) <= 16
    finish(trees, run)
    assert (trees / "dest" / "big").stat().st_blocks < 400
    with open(big, "r+b") as file:
        file.seek(1 << 18)
        file.write(b"other")
    let_it_settle()
    run = session(trees)
    assert len(run.pages) <= 2
    finish(trees, run)


def test_names_of_one_file_are_parted_from_it(trees: Path) -> None:
    """On the target the old copy has another name, which is to keep the old contents."""
    (trees / "source" / "other").write_bytes((trees / "source" / "big").read_bytes())
    os.utime(trees / "source" / "other", ns=(5, 5))
    (trees / "dest" / "other").hardlink_to(trees / "dest" / "big")
    os.utime(trees / "dest" / "other", ns=(5, 5))
    change(trees, overwrite)
    run = session(trees)
    assert len(run.pages) <= 4
    finish(trees, run)
    (trees / "source" / "third").hardlink_to(trees / "source" / "big")
    change(trees, overwrite)
    run = session(trees)
    assert len(run.pages) <= 4
    finish(trees, run)


def test_a_source_that_changes_is_noticed(trees: Path) -> None:
    """Digests are of what was scanned: what is read later must be the same file."""
    change(trees, overwrite)
    big = trees / "source" / "big"
    status = big.stat()

    def rewrite() -> None:
        big.write_bytes(os.urandom(SIZE))
        os.utime(big, ns=(status.st_atime_ns, status.st_mtime_ns))

    run = session(trees, between=rewrite)
    run.cast()
    assert list(run.contents.changed) == [1]
    run.break_off()


def test_a_full_disk_leaves_nothing_behind(trees: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    change(trees, overwrite)
    monkeypatch.setattr("mrsync.tree.staging.stage.Stage.put", _no_room)
    run = session(trees)
    assert len(run.pages) == 101
    monkeypatch.undo()
    finish(trees, run)


def _no_room(*_: object) -> None:
    raise OSError(28, "No space left on device")


# where the file system can share blocks


@pytest.fixture
def cloning(trees: Path) -> Iterator[Path]:
    """The same trees on btrfs."""
    if os.geteuid() or shutil.which("mkfs.btrfs") is None:
        pytest.skip("needs root, and mkfs.btrfs")
    mount = trees / "btrfs"
    mount.mkdir()
    image = trees / "image"
    with open(image, "wb") as file:
        file.truncate(200 << 20)
    subprocess.run(["mkfs.btrfs", "-q", image], check=True, capture_output=True)
    mounted = subprocess.run(["mount", "-o", "loop", image, mount], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip(f"cannot mount here: {mounted.stderr.decode().strip()}")
    for name in ("source", "dest"):
        shutil.copytree(trees / name, mount / name)
    yield mount
    subprocess.run(["umount", "-l", mount], check=True)


@pytest.mark.parametrize("how", [same, append, overwrite, insert, take_out, cut, wipe, renew])
def test_a_clone_becomes_the_new_file(cloning: Path, how: Change, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[int] = []
    put = "mrsync.tree.staging.stage.Stage.put"
    if how in (same, append, overwrite, cut):
        monkeypatch.setattr(put, lambda stage, file, pieces, data: written.append(len(data)))
    change(cloning, how)
    finish(cloning, session(cloning))
    assert written == []  # all that stays is shared


def test_cloned_bytes_do_not_count_as_received(cloning: Path) -> None:
    change(cloning, renew)
    in_a_process_that_is_killed(lambda: session(cloning).cast(range(20)))
    notes = notes_of(cloning)
    assert notes.is_cloned
    run = session(cloning, Policy(sparse=True))
    assert run.pages == list(range(20, 101))
    finish(cloning, run)


def notes_of(trees: Path) -> reader_module.JournalNote:
    (journal,) = (trees / "dest").glob("*.journal")
    root = os.open(trees / "dest", os.O_RDONLY)
    notes = reader_module.read_notes(root, journal.name.split("-")[1].split(".")[0].encode())
    os.close(root)
    assert notes is not None
    note = notes.find(1)
    assert note is not None
    return note


def test_an_empty_file_that_needs_another_inode_is_made(trees: Path) -> None:
    for top, mode in ((trees / "source", 0o644), (trees / "dest", 0o600)):
        (top / "empty").touch(mode=mode)
        (top / "empty").chmod(mode)
        os.utime(top / "empty", (1, 1))
        top.chmod(0o777)  # so that it is staged anew
    run = session(trees, Policy())
    assert len(run.comparison.restaged) == 1
    finish(trees, run)
