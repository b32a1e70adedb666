"""How an object is cut: object -> pages -> packets."""

from __future__ import annotations

from typing import NamedTuple

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

# What interfaces, tunnels and overlays have: jumbo frames, PPPoE, GRE, VXLAN, WireGuard ...
_COMMON_MTUS = (9000, 4000, 1500, 1492, 1476, 1450, 1420, 1400, 1350, 1300, PATH_MTU_MIN)
_GENERATION_BITS = 16  # of the field in the header


class Geometry(NamedTuple):
    """Page and packet sizes of a session; the last page of an object, and its last packet, may be shorter.

    slice_bytes: bytes of a sealed page in one packet; packets: packets of a full page.
    """

    slice_bytes: int
    packets: int

    @classmethod
    def from_mtu(cls, mtu: int, *, is_ipv6: bool, target_count: int) -> Geometry:
        """Largest page that one UDP_SEGMENT burst carries; coded packets keep room for their terms inside the MTU."""
        payload = datagram_bytes(mtu, is_ipv6=is_ipv6)
        terms = max(2, min(TERMS_MAX, target_count))
        slice_bytes = payload - HEADER_BYTES - TERM_BYTES * (terms - 1)
        return cls(slice_bytes, min(PACKETS_PER_PAGE_MAX, BURST_BYTES_MAX // payload))

    @property
    def page_bytes(self) -> int:
        """Plain bytes in a full page."""
        return self.slice_bytes * self.packets - TAG_BYTES

    @property
    def sealed_bytes(self) -> int:
        """Bytes of a full page with its seal."""
        return self.slice_bytes * self.packets

    def page_count(self, object_bytes: int) -> int:
        return -(-object_bytes // self.page_bytes)

    def page_length(self, object_bytes: int, page: int) -> int:
        """Plain bytes of one page of an object of this size."""
        return min(self.page_bytes, object_bytes - page * self.page_bytes)

    def packet_count(self, object_bytes: int, page: int) -> int:
        """Packets of one page of an object of this size, unless it is compressed; then it has fewer."""
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
    """One size of packets that a session may use: as an interface's MTU, as the largest datagram, as geometry."""

    mtu: int
    datagram_bytes: int
    geometry: Geometry


def ladder(mtu: int, *, is_ipv6: bool, target_count: int) -> tuple[Step, ...]:
    """Sizes to try where packets of `mtu` bytes may not reach everyone, the largest first."""
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
    """What UDP carries in one packet."""
    return max(MTU_MIN, min(mtu, MTU_MAX)) - (48 if is_ipv6 else 28)
