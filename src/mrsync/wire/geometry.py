"""Sizes: how an object is cut into pages, and a page into packets."""

from __future__ import annotations

from mrsync.tuples import NamedTuple
from mrsync.wire.limits import (
    BURST_BYTES_MAX,
    HEADER_BYTES,
    MTU_MAX,
    MTU_MIN,
    PACKETS_PER_PAGE_MAX,
    PATH_MTU_MIN,
    TAG_BYTES,
    TERM_BYTES,
    TERMS_MAX,
)

# Common MTUs of interfaces, tunnels and overlays: jumbo frames, PPPoE, GRE, VXLAN, WireGuard ...
_COMMON_MTUS = (9000, 4000, 1500, 1492, 1476, 1450, 1420, 1400, 1350, 1300, PATH_MTU_MIN)
_GENERATION_BITS = 16  # of the field in the header


class Geometry(NamedTuple):
    """Page and packet sizes of a session. The last page of an object, and its last packet, may be shorter.

    slice_bytes: bytes of a sealed page in one packet. packets: packets of a full page.
    """

    slice_bytes: int
    packets: int

    @classmethod
    def from_mtu(cls, mtu: int, *, is_ipv6: bool, target_count: int) -> Geometry:
        """Return the geometry with the largest page that one UDP_SEGMENT burst carries.

        mtu: bytes of the largest IP packet. target_count: at most. Slices are shorter than the MTU allows by the room
        for the terms of a coded packet.
        """
        payload = datagram_bytes(mtu, is_ipv6=is_ipv6)
        terms = max(2, min(TERMS_MAX, target_count))
        slice_bytes = payload - HEADER_BYTES - TERM_BYTES * (terms - 1)
        return cls(slice_bytes, min(PACKETS_PER_PAGE_MAX, BURST_BYTES_MAX // payload))

    @property
    def page_bytes(self) -> int:
        """Bytes of a full page without its seal."""
        return self.slice_bytes * self.packets - TAG_BYTES

    @property
    def sealed_bytes(self) -> int:
        """Bytes of a full page with its seal."""
        return self.slice_bytes * self.packets

    def page_count(self, object_bytes: int) -> int:
        return -(-object_bytes // self.page_bytes)

    def page_length(self, object_bytes: int, page: int) -> int:
        """Return the bytes, without seal, of one page of an object of this size."""
        return min(self.page_bytes, object_bytes - page * self.page_bytes)

    def packet_count(self, object_bytes: int, page: int) -> int:
        """Return the packets of one page of an object of this size. If it is compressed, it has fewer."""
        return -(-(self.page_length(object_bytes, page) + TAG_BYTES) // self.slice_bytes)


def reading_of(generation: int, count: int) -> int:
    """Return one number for a generation of a page and its number of packets.

    Both are read from headers, which anyone may forge. Packets of different readings do not fit together.
    """
    return generation | count << _GENERATION_BITS


def count_of(reading: int) -> int:
    """Return the number of packets of a reading."""
    return reading >> _GENERATION_BITS


def generation_of(reading: int) -> int:
    """Return the generation of a reading."""
    return reading & (1 << _GENERATION_BITS) - 1


class Step(NamedTuple):
    """One packet size that a session may use, as MTU, as bytes of the largest datagram, and as geometry."""

    mtu: int
    datagram_bytes: int
    geometry: Geometry


def ladder(mtu: int, *, is_ipv6: bool, target_count: int) -> tuple[Step, ...]:
    """Return the packet sizes to try, the largest first. Packets of `mtu` bytes may not reach all targets.

    target_count: of the session, which limits the terms of a coded packet.
    """
    mtus = (min(mtu, MTU_MAX), *(common for common in _COMMON_MTUS if common < mtu))
    return tuple(
        Step(
            tried,
            datagram_bytes(tried, is_ipv6=is_ipv6),
            Geometry.from_mtu(tried, is_ipv6=is_ipv6, target_count=target_count),
        )
        for tried in mtus
    )


def datagram_bytes(mtu: int, *, is_ipv6: bool) -> int:
    """Return the largest UDP payload of one packet."""
    return max(MTU_MIN, min(mtu, MTU_MAX)) - (48 if is_ipv6 else 28)
