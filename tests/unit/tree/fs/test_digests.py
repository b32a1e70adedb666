"""Digests are computed of regular files of the expected size, and of nothing else."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from mrsync.files import open_regular
from mrsync.tree.compare.compare import compare
from mrsync.tree.destination.destination import Destination
from mrsync.tree.fs.digests import BLOCK_BYTES, TOLD_BYTES, Digester
from mrsync.tree.model.manifest import NO_DIGEST, Manifest
from mrsync.tree.model.policy import Policy
from mrsync.tree.source.scan import scan

CHECKSUM = Policy(checksum=True)


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[int]:
    fd = os.open(tmp_path, os.O_RDONLY)
    yield fd
    os.close(fd)


def blake(data: bytes) -> bytes:
    """The digest of a file, from its description: offset and contents of each block that is not zero."""
    state = hashlib.blake2b(digest_size=16)
    for offset in range(0, len(data), BLOCK_BYTES):
        if block := data[offset : offset + BLOCK_BYTES].strip(b"\0") and data[offset : offset + BLOCK_BYTES]:
            state.update(offset.to_bytes(8, "big") + block)
    return state.digest()


def digest_of(directory: int, size: int) -> bytes:
    return Digester(lambda count: None).digest(partial(open_regular, b"file", directory), size)


def test_a_file_is_hashed_with_progress(tmp_path: Path, directory: int) -> None:
    data = os.urandom(1 << 20)
    (tmp_path / "file").write_bytes(data * 65 + b"x")
    told: list[int] = []
    digester = Digester(told.append)
    assert digester.digest(partial(open_regular, b"file", directory), 65 * len(data) + 1) == blake(data * 65 + b"x")
    assert told == [TOLD_BYTES]
    digester.flush()
    assert sum(told) == 65 * len(data) + 1


def test_nobody_reads_the_holes_of_a_huge_file(tmp_path: Path, directory: int) -> None:
    with (tmp_path / "file").open("wb") as file:
        file.truncate(1 << 43)  # a day of reading; ext4 takes no more
        file.seek(1 << 42)
        file.write(b"x")
    told: list[int] = []
    digester = Digester(told.append)
    digest = digester.digest(partial(open_regular, b"file", directory), 1 << 43)
    digester.flush()
    expected = hashlib.blake2b((1 << 42).to_bytes(8, "big") + b"x" + bytes(BLOCK_BYTES - 1), digest_size=16)
    assert digest == expected.digest()
    assert sum(told) <= 2 * BLOCK_BYTES


@pytest.mark.parametrize("size", [1, BLOCK_BYTES, 3 * BLOCK_BYTES + 5, 5 * BLOCK_BYTES])
def test_holes_and_zeros_are_the_same(tmp_path: Path, directory: int, size: int) -> None:
    data = bytearray(size)
    for at in (size // 2, size - 1):
        data[at] = 7
        (tmp_path / "file").write_bytes(data)
        full = digest_of(directory, size)
        with (tmp_path / "file").open("wb") as file:
            file.truncate(size)
            for place in (index for index, byte in enumerate(data) if byte):
                file.seek(place)
                file.write(b"\7")
        assert digest_of(directory, size) == full == blake(bytes(data))


def test_where_a_block_is_matters(tmp_path: Path, directory: int) -> None:
    digests = set()
    for at in range(3):
        (tmp_path / "file").write_bytes(
            b"".join(b"x" * BLOCK_BYTES if at == n else bytes(BLOCK_BYTES) for n in range(3))
        )
        digests.add(digest_of(directory, 3 * BLOCK_BYTES))
    assert len(digests) == 3


@pytest.mark.parametrize("size", [0, 4, 6, 5000])
def test_a_file_of_another_size_has_none(tmp_path: Path, directory: int, size: int) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    assert Digester(lambda count: None).digest(partial(open_regular, b"file", directory), size) == NO_DIGEST


def test_entries_without_contents_have_no_digest(tmp_path: Path, directory: int) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "sub").mkdir()
    (tmp_path / "file").write_bytes(b"12345")
    (tmp_path / "link").symlink_to("file")
    for name in (b"fifo", b"sub", b"link", b"none"):
        assert Digester(lambda count: None).digest(partial(open_regular, name, directory), 5) == NO_DIGEST


def test_only_files_of_the_same_size_are_read_on_a_target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for top, texts in (
        ("source", {"a": "same", "b": "other", "c": "", "d": "1"}),
        ("dest", {"a": "same", "b": "else"}),
    ):
        (tmp_path / top).mkdir()
        for name, text in texts.items():
            (tmp_path / top / name).write_text(text)
    os.link(tmp_path / "source" / "a", tmp_path / "source" / "e")
    manifest = Manifest.decode(scan(os.fsencode(tmp_path / "source"), CHECKSUM).manifest.encode())
    digests = {manifest.path(entry): manifest.digest(entry) for entry in range(len(manifest))}
    assert digests[b"a"] == digests[b"e"] == blake(b"same")
    assert digests[b"c"] == digests[b""] == NO_DIGEST
    read: list[int] = []
    digest = Digester.digest

    def note(self: Digester, open_file: Callable[[], int], size: int) -> bytes:
        read.append(size)
        return digest(self, open_file, size)

    monkeypatch.setattr(Digester, "digest", note)
    destination = Destination(os.fsencode(tmp_path / "dest"))
    comparison = compare(manifest, destination)
    destination.close()
    assert read == [4]
    assert {manifest.path(entry) for first, end in comparison.needs for entry in range(first, end)} == {
        b"b",
        b"c",
        b"d",
    }
