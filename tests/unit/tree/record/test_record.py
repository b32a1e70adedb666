"""Records: every byte of a file is covered by its proof, and what is read from a file is checked."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import tracemalloc
from array import array
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from mrsync.errors import ProtocolDataError
from mrsync.tree.model.columns import NameColumn
from mrsync.tree.model.manifest import Manifest
from mrsync.tree.model.packing import Packer
from mrsync.tree.model.plan import Plan
from mrsync.tree.record.gathering import Gathered
from mrsync.tree.record.grid import Grid
from mrsync.tree.record.reading import PORTION_BYTES, PortionResult, batches, read_batch
from mrsync.tree.record.record import MAGIC, ProvenFile, Record, TargetNames, carry, recorded_sync
from mrsync.tree.source.scan import scan

PAGE = 10


def grid_of(contents: int) -> Grid:
    return Grid(PAGE, contents, 32, "sha256")


def prove(page: int, data: bytes) -> bytes:
    return hashlib.sha256(b"%d %s" % (page, data)).digest()


def check(terms: str, page: int, data: bytes, proof: bytes) -> bool:
    return terms == "sha256" and prove(page, data) == proof


def plan_of(sizes: list[int]) -> tuple[Manifest, Plan]:
    """A plan of files of these sizes, the entries 1, 2, ..."""
    manifest = Manifest()
    manifest.names = NameColumn([b"", *(b"%06d" % number for number in range(len(sizes)))])
    manifest.sizes = array("q", [0, *sizes])
    return manifest, Plan(manifest, [(1, len(sizes) + 1)], {})


@given(st.integers(0, 100), st.integers(1, 100), st.integers(0, 50))
def test_the_parts_of_a_file_are_all_of_it(start: int, length: int, after: int) -> None:
    grid = grid_of(start + length + after)
    head, first, end, tail = grid.divide(start, length)
    pages = [(page * PAGE, min(PAGE, grid.contents_bytes - page * PAGE)) for page in range(first, end)]
    parts = [(start, head), *pages, (start + length - tail, tail)]
    covered = [byte for offset, size in parts for byte in range(offset, offset + size)]
    assert covered == list(range(start, start + length))


@settings(max_examples=30)
@given(st.lists(st.integers(0, 45), min_size=1, max_size=12), st.data())
def test_every_flipped_bit_is_found_however_pages_and_files_lie(sizes: list[int], data: st.DataObject) -> None:
    _, plan = plan_of(sizes)
    contents = os.urandom(sum(sizes))
    gathered = Gathered(plan, grid_of(len(contents)))
    for page in range(-(-len(contents) // PAGE)):
        if data.draw(st.integers(0, 3)):  # some pages never arrive: they are read back
            piece = contents[page * PAGE : page * PAGE + PAGE]
            gathered.take(page, piece, prove(page, piece))
    files = []
    for number, size in enumerate(sizes):
        if size:
            proof = gathered.proof(number, prove, lambda offset, length: contents[offset : offset + length])
            files.append(ProvenFile(number + 1, gathered.grid, plan.starts[number], size, [], proof))
    record = Record(Manifest().encode(), 7)
    record.extend(files)
    assert list(Record.decode(b"".join(record.parts())).files()) == files
    for file in files:
        own = contents[file.start : file.start + file.length]
        assert wrong_parts(own, file) == []
        at = data.draw(st.integers(0, file.length - 1))
        assert len(wrong_parts(own[:at] + bytes([own[at] ^ 4]) + own[at + 1 :], file)) == 1


def test_digests_that_the_record_has_are_freed_and_no_others() -> None:
    count = 10_000
    _, plan = plan_of([3] * count)
    contents = os.urandom(3 * count)
    tracemalloc.start()
    try:
        gathered = Gathered(plan, grid_of(len(contents))._replace(page_bytes=60))
        for at in range(0, len(contents), 60):
            gathered.take(at // 60, contents[at : at + 60], bytes(32))
        before = tracemalloc.get_traced_memory()[0]
        for file in range(0, count, 7):
            gathered.forget_before(file)
            assert gathered.proof(file, prove, unread) == hashlib.sha256(contents[3 * file : 3 * file + 3]).digest()
        freed = before - tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert freed > 0.75 * 32 * count


def unread(offset: int, length: int) -> bytes:
    raise AssertionError(f"{length} bytes at {offset} arrived")


def wrong_parts(data: bytes, file: ProvenFile) -> list[str]:
    """Read a file with these contents; return the parts that differ."""
    path = Path(os.environ["XDG_STATE_HOME"], "read")
    path.write_bytes(data)
    found = []
    for batch in batches([file]):
        for portion in batch:
            read = read_batch(bytes(path.parent), path.name.encode(), file.length, portion, check)
            assert not read.error
            found += [where for _, where in read.wrong]
    return found


def test_data_in_place_of_a_hole_is_found(tmp_path: Path) -> None:
    data = os.urandom(4096)
    file = ProvenFile(1, Grid(4096, 4096, 32, "sha256"), 0, 4096, [(8192, 4096)], prove(0, data))
    (portion,) = next(batches([file]))
    sparse = tmp_path / "sparse"
    with sparse.open("wb") as stream:
        stream.seek(8192)
        stream.write(data)
    assert read_batch(bytes(tmp_path), b"sparse", 12288, portion, check).wrong == ()
    with sparse.open("r+b") as stream:
        stream.write(bytes(100) + b"x")
    assert read_batch(bytes(tmp_path), b"sparse", 12288, portion, check).wrong == ((-1, "a hole"),)


def test_proofs_of_files_that_did_not_change_are_carried_on(tmp_path: Path) -> None:
    for name in ("a", "b/c", "b/d", "e"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"12345")
    before = scan(bytes(tmp_path)).manifest
    old = Record(before.encode(), 1)
    entries = [entry for entry in range(1, len(before)) if before.sizes[entry]]
    old.extend([ProvenFile(entry, grid_of(100), 0, 5, [], bytes([entry]) * 32) for entry in entries])
    (tmp_path / "A-new").touch()  # all others have other numbers then
    (tmp_path / "b" / "d").write_bytes(b"54321")
    os.utime(tmp_path / "b" / "d", ns=(0, 0))
    after = scan(bytes(tmp_path)).manifest
    new = Record(after.encode(), 2)
    fresh = ProvenFile(after.find(b"e"), grid_of(5), 0, 5, [], b"e" * 32)
    stale = fresh._replace(proof=b"s" * 32)
    changed = [entry in (after.find(b"a"), fresh.entry) for entry in range(len(after))]
    carry(old, new, after, [[stale], [fresh]], changed)
    kept = {after.path(file.entry): file.proof for file in new.files()}
    assert kept == {b"e": fresh.proof, b"b/c": bytes([before.find(b"b/c")]) * 32}


def test_a_record_is_written_without_a_copy_of_it_in_memory() -> None:
    record = Record(Manifest().encode(), 1)
    record.extend(ProvenFile(entry, grid_of(5), 0, 5, [], bytes(32)) for entry in range(100_000))
    tracemalloc.start()
    try:
        size = sum(map(len, record.parts()))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    proofs = 32 * 100_000  # the largest part; a few copies of one part are made while it is packed
    assert size > 1.8 * proofs
    assert peak < 1.3 * proofs


def test_the_beginning_of_a_record_says_of_which_sync_it_is() -> None:
    record = Record(Manifest().encode(), 1, TargetNames("node1", "~"))
    encoded = b"".join(record.parts())
    assert recorded_sync(encoded[:500]) == (record.digest.hex(), record.names)
    assert Record.decode(encoded).names == record.names
    with pytest.raises(ProtocolDataError):
        recorded_sync(encoded[:30])


@pytest.mark.parametrize("names", [TargetNames("a\0b"), TargetNames("\ud800"), TargetNames("a", "\0")])
def test_names_that_no_path_can_have_are_refused(names: TargetNames) -> None:
    with pytest.raises(ProtocolDataError):
        Record.decode(b"".join(Record(Manifest().encode(), 1, names).parts()))


def test_a_record_without_names_is_read() -> None:
    record = Record(Manifest().encode(), 1)
    packer = Packer(MAGIC, level=0)
    packer.blob(json.dumps({"manifest": record.digest.hex(), "session": 1, "grids": []}).encode())
    assert recorded_sync(packer.packed()) == (record.digest.hex(), TargetNames())


def test_a_torn_record_is_ignored(tmp_path: Path) -> None:
    record = Record(Manifest().encode(), 1)
    record.extend([ProvenFile(0, grid_of(5), 0, 5, [], bytes(32))])
    encoded = b"".join(record.parts())
    Record.decode(encoded)
    for end in range(0, len(encoded), 7):
        for torn in (encoded[:end], encoded[:end] + bytes(len(encoded) - end)):
            with pytest.raises(ProtocolDataError, match="the record of the last sync is damaged"):
                Record.decode(torn)


def whole_record() -> Record:
    """A record of two files, the second of which has a hole."""
    record = Record(Manifest().encode(), 7)
    record.extend(
        [
            ProvenFile(1, grid_of(30), 0, 10, [], bytes(32)),
            ProvenFile(2, grid_of(30), 10, 20, [(0, 5), (50, 15)], bytes(64)),
        ]
    )
    return record


@pytest.mark.parametrize(
    ("column", "values", "complaint"),
    [
        ("_grid_of", [0, 1], "a file is of an unknown session"),
        ("_entries", [2, 1], "its files are not in order"),
        ("_starts", [-1, 10], "its files are not in order"),
        ("_lengths", [0, 20], "its files are not in order"),
        ("_lengths", [20, 20], "a proof has a wrong length"),
        ("_extents", {1: [(0, 5), (50, 16)]}, "the extents of a file do not add up"),
        ("_extents", {7: [(0, 5)]}, "its extents do not add up"),
        ("_extents", {1: [(-4, 20)]}, "an extent is impossible"),
        ("_grids", [Grid(0, 30, 32, "sha256")], "its header makes no sense"),
        ("_grids", [("4", 30, 32, "sha256")], "its header makes no sense"),
        ("session", -1, "its header makes no sense"),
        ("session", "seven", "its header makes no sense"),
    ],
)
def test_a_record_that_contradicts_itself_is_refused(column: str, values: Any, complaint: str) -> None:
    record = whole_record()
    assert list(Record.decode(b"".join(record.parts())).files()) == list(record.files())
    old = getattr(record, column)
    setattr(record, column, array(old.typecode, values) if isinstance(old, array) else values)
    with pytest.raises(ProtocolDataError, match=complaint):
        Record.decode(b"".join(record.parts()))


def test_a_record_of_another_manifest_is_refused() -> None:
    packer = Packer(MAGIC, level=0)
    packer.blob(json.dumps({"manifest": "0" * 64, "session": 7, "grids": []}).encode())
    packer.blob(Manifest().encode())
    with pytest.raises(ProtocolDataError, match="its manifest is another one"):
        Record.decode(packer.packed())


@pytest.mark.parametrize("header", [b"no JSON", b"[" * 4000, b"7", b'{"manifest": ""}'])
def test_a_record_with_a_damaged_header_is_refused(header: bytes) -> None:
    packer = Packer(MAGIC, level=0)
    packer.blob(header)
    with pytest.raises(ProtocolDataError, match="its header makes no sense"):
        Record.decode(packer.packed())


def test_files_that_cannot_be_read_are_told_apart_from_missing_ones(tmp_path: Path) -> None:
    file = ProvenFile(1, grid_of(PAGE), 0, PAGE, [], prove(0, bytes(PAGE)))
    (portion,) = next(batches([file]))
    (tmp_path / "short").write_bytes(bytes(PAGE - 1))
    (tmp_path / "link").symlink_to("short")
    for name in (b"missing", b"short/below", b"short"):
        assert read_batch(bytes(tmp_path), name, PAGE, portion, check) == PortionResult(is_gone=True)
    assert read_batch(bytes(tmp_path), b"link", PAGE, portion, check).error == os.strerror(errno.ELOOP)


def test_large_files_are_read_in_several_batches() -> None:
    size = 2 * PORTION_BYTES
    grid = Grid(PORTION_BYTES // 4, size, 32, "sha256")
    files = [ProvenFile(1, grid, 0, size, [], bytes(8 * 32))]
    portions = [[(portion.first, portion.end) for portion in batch] for batch in batches(files)]
    assert portions == [[(0, 4)], [(4, 8)]]
