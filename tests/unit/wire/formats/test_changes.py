"""Itemized changes survive encoding and decoding, in bodies that fit a record; other bytes raise only ValueError."""

from __future__ import annotations

from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mrsync.wire.formats.changes import Change, pack_changes, pack_deletions, unpack_changes, unpack_deletions
from mrsync.wire.formats.record_codec import encode_record
from mrsync.wire.limits import RECORD_BYTES_MAX
from mrsync.wire.records import ChangesRecord, DeletionsRecord


@st.composite
def changes(draw: st.DrawFn) -> list[Change]:
    found = []
    behind = 0
    for gap, more, flags, leader in draw(
        st.lists(st.tuples(st.integers(0, 2**20), st.integers(0, 2**20), st.integers(0, 4095), st.integers(-1, 2**26)))
    ):
        found.append(Change(behind + gap, behind + gap + more + 1, flags, leader))
        behind = found[-1].end
    return found


paths = st.binary(min_size=1, max_size=200)
deletions = st.lists(st.tuples(st.integers(0, 2**26), paths)).map(lambda found: sorted(found, key=lambda one: one[0]))


@given(changes())
def test_changes_come_out_as_they_went_in(found: list[Change]) -> None:
    assert list(chain.from_iterable(map(unpack_changes, pack_changes(found)))) == found


@given(deletions)
def test_deletions_come_out_as_they_went_in(found: list[tuple[int, bytes]]) -> None:
    assert list(chain.from_iterable(map(unpack_deletions, pack_deletions(found)))) == found


def test_many_are_cut_into_records_that_fit_and_stand_by_themselves() -> None:
    entries = [Change(3 * i, 3 * i + 2, i % 4096, i if i % 5 == 0 else -1) for i in range(20_000)]
    bodies = list(pack_changes(entries))
    assert len(bodies) > 10
    assert all(len(encode_record(ChangesRecord(body))) <= RECORD_BYTES_MAX for body in bodies)
    assert [change for body in bodies for change in unpack_changes(body)][:2] == entries[:2]
    assert next(unpack_changes(bodies[3])) in entries
    gone = [(i // 100, b"a directory/of some length/file %07d" % i) for i in range(20_000)]
    bodies = list(pack_deletions(gone))
    assert sum(map(len, bodies)) < 20_000 * 8
    assert all(len(encode_record(DeletionsRecord(body))) <= RECORD_BYTES_MAX for body in bodies)
    assert next(unpack_deletions(bodies[3])) in gone


def test_files_that_all_targets_have_are_not_sent() -> None:
    assert sum(map(len, pack_changes([Change(1, 1_000_001, 640)]))) < 10


def test_a_path_too_long_loses_its_end() -> None:
    (body,) = pack_deletions([(1, b"x" * 10_000)])
    ((directory, path),) = unpack_deletions(body)
    assert directory == 1
    assert path == b"x" * len(path)
    assert len(path) > 4096


@given(st.binary(max_size=60))
def test_other_bytes_make_sense_or_raise_value_error(data: bytes) -> None:
    for unpack in (unpack_changes, unpack_deletions):
        try:
            for _ in unpack(data):
                pass
        except ValueError:
            continue


@pytest.mark.parametrize("data", [b"\x00\x01\x01x", b"\x00\x00\x05abc", b"\x00", b"\x80"])
def test_paths_that_do_not_end_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"(does|do) not end"):
        list(unpack_deletions(data))
