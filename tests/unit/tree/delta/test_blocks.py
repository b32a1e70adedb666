"""Digests of blocks: as many as pages share a file, and hostile ones are refused."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from mrsync.errors import ProtocolDataError
from mrsync.tree.delta.blocks import (
    ANCHOR_BYTES,
    DIGEST_BYTES,
    FileBlocks,
    block_count,
    block_digest,
    block_digests,
    decode_blocks,
    digest_blocks,
    encode_blocks,
    spans_of,
)
from mrsync.tree.model.plan import Plan
from mrsync.tree.source.planning import build_plan
from mrsync.tree.source.reader import ContentsReader
from mrsync.tree.source.scan import scan
from tests.unit.tree.model.test_plan import manifest_of

PAGE = 100
KEY = b"key"


@pytest.mark.parametrize(
    ("sizes", "counts"), [((50, 300, 0), (1, 4, 0)), ((100, 100, 1), (1, 1, 1)), ((99, 2), (1, 2))]
)
def test_every_page_that_holds_some_of_a_file_has_a_block(sizes: tuple[int, ...], counts: tuple[int, ...]) -> None:
    plan = Plan(manifest_of(sizes), [(1, 1 + len(sizes))], {})
    for file, count in enumerate(counts):
        spans = list(spans_of(plan, file, PAGE))
        assert block_count(plan, file, PAGE) == len(spans) == count
        assert sum(end - start for start, end in spans) == sizes[file]
        assert all(start // PAGE == (end - 1) // PAGE for start, end in spans)


@pytest.mark.parametrize("count", [0, 1, 7, 8, 100])
def test_digests_of_many_blocks_are_those_of_each_block(count: int) -> None:
    blocks = [os.urandom(3000) for _ in range(count)]
    assert block_digests(blocks, KEY) == [block_digest(block, KEY) for block in blocks]


def test_a_host_that_allows_no_more_threads_digests_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 2, 3})
    monkeypatch.setattr(threading.Thread, "start", refuse)
    blocks = [os.urandom(300) for _ in range(100)]
    assert block_digests(blocks, KEY) == [block_digest(block, KEY) for block in blocks]


def test_digests_and_anchors_come_through_the_plan(tmp_path: Path) -> None:
    data = {"a": os.urandom(150), "b": os.urandom(340), "c": os.urandom(3)}
    for name, each in data.items():
        (tmp_path / name).write_bytes(each)
    found = scan(os.fsencode(tmp_path))
    plan = build_plan(found, [(1, 4)])
    source = ContentsReader(os.fsencode(tmp_path), found.manifest, plan)
    activity: list[int] = []
    made = digest_blocks(plan, [1, 2], source.read, PAGE, KEY, activity.append)
    source.close()
    assert activity
    plan.blocks = encode_blocks(made)
    blocks = decode_blocks(Plan.decode(plan.encode(), found.manifest), PAGE)
    assert blocks == made
    contents = b"".join(data.values())
    for file, of_file in blocks.items():
        for number, (start, end) in enumerate(spans_of(plan, file, PAGE)):
            assert of_file.digest(number) == block_digest(contents[start:end], KEY)
            assert of_file.anchor(number) == contents[start:end][:ANCHOR_BYTES].ljust(ANCHOR_BYTES, b"\0")
    assert block_digest(b"x", KEY) != block_digest(b"x", b"another")
    assert decode_blocks(Plan(manifest_of([5]), [(1, 2)], {}), PAGE) == {}


@pytest.mark.parametrize(
    "blocks",
    [
        {2: FileBlocks(b"", b"")},
        {0: FileBlocks(bytes(DIGEST_BYTES), bytes(2 * ANCHOR_BYTES))},
        {0: FileBlocks(bytes(2 * DIGEST_BYTES), bytes(ANCHOR_BYTES))},
        {0: FileBlocks(bytes(3 * DIGEST_BYTES), bytes(3 * ANCHOR_BYTES))},
        {1: FileBlocks(b"", b"")},
    ],
)
def test_a_hostile_list_is_refused(blocks: dict[int, FileBlocks]) -> None:
    plan = Plan(manifest_of([150, 10]), [(1, 3)], {})
    plan.blocks = encode_blocks(blocks)
    with pytest.raises(ProtocolDataError, match="list of blocks is damaged"):
        decode_blocks(plan, PAGE)
    plan.blocks = b"something else"
    with pytest.raises(ProtocolDataError):
        decode_blocks(plan, PAGE)
