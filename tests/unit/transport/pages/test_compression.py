"""Compression of pages: what catchers accept, and when the caster tries."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator

import pytest

from mrsync.transport.pages.compression import PAUSE_PAGES_MAX, TRIAL_PAGES, Compressor, expand
from mrsync.wire.limits import TAG_BYTES
from tests.unit.transport.link import CONTENTS, GEOMETRY, Link

TEXT = b"The quick brown fox jumps over the lazy dog. " * 2000
PAGE = TEXT[: GEOMETRY.page_bytes]
NOISE = os.urandom(GEOMETRY.page_bytes)


class Clock:
    """Passes `seconds_per_page` between pages, and `own_s` while one is compressed."""

    def __init__(self, own_s: float, seconds_per_page: float) -> None:
        self.now, self._steps = 0.0, self._cycle(own_s, seconds_per_page)

    def _cycle(self, own_s: float, seconds_per_page: float) -> Iterator[float]:
        while True:
            yield seconds_per_page
            yield own_s

    def __call__(self) -> float:
        self.now += next(self._steps)
        return self.now


def compressed(compressor: Compressor, pages: int, data: bytes = PAGE) -> int:
    return sum(compressor.compress(data) != data for _ in range(pages))


def test_a_page_comes_back_whole() -> None:
    small = Compressor(GEOMETRY.slice_bytes).compress(PAGE)
    assert len(small) < len(PAGE) / 10
    assert (len(small) + TAG_BYTES) % GEOMETRY.slice_bytes == 0
    assert expand(small, len(PAGE)) == PAGE


def test_a_page_that_does_not_shrink_by_a_packet_stays_as_it_is() -> None:
    compressor = Compressor(GEOMETRY.slice_bytes)
    assert compressor.compress(NOISE) == NOISE
    assert compressor.compress(b"x" * 100) == b"x" * 100
    assert compressor.bytes_saved == 0


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff" * 100,
        zlib.compress(PAGE),
        zlib.compress(PAGE)[2:100],
        zlib.compress(PAGE + b"!", wbits=-15),
        zlib.compress(PAGE[:-1], wbits=-15),
        zlib.compress(bytes(100 << 20), wbits=-15),
    ],
)
def test_what_is_no_compressed_page_of_this_length_is_refused(data: bytes) -> None:
    assert expand(data, len(PAGE)) is None


def test_on_a_slow_network_every_page_is_compressed() -> None:
    assert compressed(Compressor(GEOMETRY.slice_bytes, clock=Clock(0.001, 0.005)), 500) == 500


def test_on_a_fast_network_hardly_any_page_is_compressed() -> None:
    assert compressed(Compressor(GEOMETRY.slice_bytes, clock=Clock(0.001, 0.0001)), 5000) < 100


def test_data_that_shrinks_is_soon_noticed_behind_data_that_does_not() -> None:
    compressor = Compressor(GEOMETRY.slice_bytes, clock=Clock(0.001, 0.005))
    assert compressed(compressor, 5000, NOISE) == 0
    assert compressed(compressor, PAUSE_PAGES_MAX + 2 * TRIAL_PAGES) > 0
    assert compressed(compressor, 100) == 100


def test_a_compressed_page_arrives_in_fewer_packets_and_coded_ones_repair_it() -> None:
    with Link(TEXT + bytes(1000)) as link:
        small = Compressor(GEOMETRY.slice_bytes).compress(link.plain(0))
        count = (len(small) + TAG_BYTES) // GEOMETRY.slice_bytes
        sealed = link.sealer.seal(small, object=CONTENTS, page=0, generation=0, count=count)
        slices = [sealed[at : at + GEOMETRY.slice_bytes] for at in range(0, len(sealed), GEOMETRY.slice_bytes)]
        assert 1 < len(slices) < GEOMETRY.packets
        link.sender.send_page(slices, object=CONTENTS, page=0, generation=0, tx=1, mask=1)
        link.send_page(1)
        link.receive()
        assert link.opened() == {1: link.plain(1)}
        terms = [(0, 1, slices[1]), (1, 0, link.slice(1, 0))]
        link.sender.send_coded([terms], object=CONTENTS, generation=0, tx=2)
        link.receive()
        assert (0, 1) in link.sink.packets_told
        link.sender.send_page(slices[:], object=CONTENTS, page=0, generation=0, tx=3, mask=(1 << count) - 4)
        link.receive()
        assert link.opened()[0] == link.plain(0)
