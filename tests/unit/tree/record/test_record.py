"""Records: every byte of a file is covered by its proof, and what is read from a file is checked."""

from __future__ import annotations

import hashlib
import os
from array import array
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from mrsync.errors import ProtocolDataError
from mrsync.tree.model.manifest import Manifest
from mrsync.tree.model.plan import Plan
from mrsync.tree.record.gathering import Gathered
from mrsync.tree.record.grid import Grid
from mrsync.tree.record.reading import batches, read_batch
from mrsync.tree.record.record import ProvenFile, Record, carry
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
    manifest.names = [b"", *(b"%06d" % number for number in range(len(sizes)))]
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
    assert list(Record.decode(record.encode()).files()) == files
    for file in files:
        own = contents[file.start : file.start + file.length]
        assert wrong_parts(own, file) == []
        at = data.draw(st.integers(0, file.length - 1))
        assert len(wrong_parts(own[:at] + bytes([own[at] ^ 4]) + own[at + 1 :], file)) == 1


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
    carry(old, new, after, {fresh.entry: fresh}, {after.find(b"a"), fresh.entry})
    kept = {after.path(file.entry): file.proof for file in new.files()}
    assert kept == {b"e": fresh.proof, b"b/c": bytes([before.find(b"b/c")]) * 32}


def test_a_torn_record_is_none(tmp_path: Path) -> None:
    record = Record(Manifest().encode(), 1)
    record.extend([ProvenFile(0, grid_of(5), 0, 5, [], bytes(32))])
    encoded = record.encode()
    Record.decode(encoded)
    for end in range(0, len(encoded), 7):
        for torn in (encoded[:end], encoded[:end] + bytes(len(encoded) - end)):
            with pytest.raises(ProtocolDataError, match="the record of the last sync is damaged"):
                Record.decode(torn)
