"""Blocks that moved are found behind an insertion, and the search costs no more than a comparison."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from mrsync.tree.delta import search as search_module
from mrsync.tree.delta.blocks import ANCHOR_BYTES
from mrsync.tree.delta.search import CANDIDATES_MAX, CREDIT_BYTES, Search

OLD = random.Random(1).randbytes(3 << 20)


@pytest.fixture
def old(tmp_path: Path) -> int:
    (tmp_path / "old").write_bytes(OLD)
    return os.open(tmp_path / "old", os.O_RDONLY)


def find(search: Search, position: int, block: bytes) -> bytes:
    return search.find(position, len(block), block[:ANCHOR_BYTES], lambda data: data == block)


def test_insertion_shifts_later_blocks(old: int) -> None:
    search = Search(old, len(OLD))
    search.note(0, 1000, 0)
    assert find(search, 50_000_000, OLD[1000:2000]) == OLD[1000:2000]
    assert search.shift == 1000 - 50_000_000


def test_removed_blocks_are_skipped(old: int) -> None:
    search = Search(old, len(OLD))
    block = OLD[2 << 20 :][:1000]
    tries = 0
    while not find(search, 1000 * tries, block):
        tries += 1
        assert tries < 5
    assert search.shift == (2 << 20) - 1000 * tries


def test_an_anchor_across_two_chunks_is_found(old: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_module, "_CHUNK", 64)
    for at in range(60, 70):
        assert find(Search(old, len(OLD)), 0, OLD[at : at + 100]) == OLD[at : at + 100]


def test_blocks_that_are_not_there_are_not_found(old: int) -> None:
    assert find(Search(old, len(OLD)), 0, os.urandom(1000)) == b""


def test_a_common_beginning_is_tried_so_many_times(tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(b"INSERT INTO" * 100_000)
    compared: list[bytes] = []
    fd = os.open(tmp_path / "old", os.O_RDONLY)
    search = Search(fd, 1_100_000)

    def is_right(data: bytes) -> bool:
        compared.append(data)
        return False

    assert search.find(0, 1000, b"INSERT I", is_right) == b""
    assert len(compared) == CANDIDATES_MAX + 1
    assert search.find(0, 1000, bytes(8), lambda data: True) == b""  # such anchors are everywhere
    assert search.find(0, 5, b"INSER\0\0\0", lambda data: True) == b""
    os.close(fd)


def test_a_search_without_success_costs_no_more_than_comparing(old: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_module, "CREDIT_BYTES", 1 << 20)
    read = 0
    pread = os.pread

    def counting(fd: int, length: int, offset: int) -> bytes:
        nonlocal read
        data = pread(fd, length, offset)
        read += len(data)
        return data

    monkeypatch.setattr(os, "pread", counting)
    search = Search(old, len(OLD))
    blocks, length = 2000, 10_000
    for number in range(blocks):
        assert find(search, number * length, random.randbytes(length)) == b""
    assert read < 2 * blocks * length + (4 << 20)
    assert CREDIT_BYTES > 1 << 20
