"""Digests of files: of what is a file of the right size, and nothing else."""

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
from mrsync.tree.fs.digests import TOLD_BYTES, Digester
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
    return hashlib.blake2b(data, digest_size=16).digest()


def test_a_file_is_hashed_with_progress(tmp_path: Path, directory: int) -> None:
    data = os.urandom(1 << 20)
    (tmp_path / "file").write_bytes(data * 65 + b"x")
    told: list[int] = []
    digester = Digester(told.append)
    assert digester.digest(partial(open_regular, b"file", directory), 65 * len(data) + 1) == blake(data * 65 + b"x")
    assert told == [TOLD_BYTES]
    digester.flush()
    assert sum(told) == 65 * len(data) + 1


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
