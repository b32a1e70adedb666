"""Compression of pages: what catchers accept, and when the caster tries."""

from __future__ import annotations

import os
import zlib

import pytest

from mrsync.transport.pages.compression import PAUSE_PAGES_MAX, TRIAL_PAGES, Compressor, expand
from mrsync.wire.limits import TAG_BYTES
from tests.unit.transport.link import CONTENTS, GEOMETRY, Link

TEXT = b"".join(b"%d green bottles, hanging on the wall\n" % number for number in range(4000))
PAGE = TEXT[: GEOMETRY.page_bytes]
NOISE = os.urandom(GEOMETRY.page_bytes)


class Host:
    """A master on which compressing a page takes own_s. For each page it works work_s more, and waits waiting_s."""

    def __init__(self, own_s: float, work_s: float, waiting_s: float) -> None:
        self.now = self.processor_s = 0.0
        self._own_s, self._work_s, self._waiting_s = own_s, work_s, waiting_s

    def clock(self) -> float:
        self.now += self._own_s / 2  # it is read twice around each compression
        self.processor_s += self._own_s / 2
        return self.now

    def processor_clock(self) -> float:
        return self.processor_s

    def compressed(self, compressor: Compressor, pages: int, data: bytes = PAGE) -> int:
        """Return how many of these pages were compressed."""
        count = 0
        for _ in range(pages):
            count += compressor.compress(data) != data
            self.now += self._work_s + self._waiting_s
            self.processor_s += self._work_s
        return count


def compressor_on(host: Host) -> Compressor:
    return Compressor(GEOMETRY.slice_bytes, clock=host.clock, processor_clock=host.processor_clock)


def test_a_page_comes_back_whole() -> None:
    small = Compressor(GEOMETRY.slice_bytes).compress(PAGE)
    assert len(small) < len(PAGE) / 3
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
        zlib.compress(bytes(16 << 20), wbits=-15),
    ],
)
def test_invalid_compressed_pages_are_refused(data: bytes) -> None:
    assert expand(data, len(PAGE)) is None


def test_on_a_slow_network_every_page_is_compressed() -> None:
    host = Host(own_s=0.001, work_s=0.0001, waiting_s=0.005)
    compressor = compressor_on(host)
    host.compressed(compressor, 100)  # what the network takes is not known at first
    assert host.compressed(compressor, 500) == 500


def test_where_the_processor_is_the_bottleneck_hardly_any_page_is_compressed() -> None:
    host = Host(own_s=0.001, work_s=0.0001, waiting_s=0.000001)
    assert host.compressed(compressor_on(host), 5000) < 100


def test_data_that_shrinks_is_soon_noticed_behind_data_that_does_not() -> None:
    host = Host(own_s=0.001, work_s=0.0001, waiting_s=0.005)
    compressor = compressor_on(host)
    assert host.compressed(compressor, 5000, NOISE) == 0
    assert host.compressed(compressor, PAUSE_PAGES_MAX + 2 * TRIAL_PAGES) > 0
    assert host.compressed(compressor, 100) == 100


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
