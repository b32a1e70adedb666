"""Cutting objects: no byte is lost, and what is cut fits the network."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mrsync.wire.geometry import Geometry, ladder
from mrsync.wire.limits import HEADER_BYTES, MTU_MAX, MTU_MIN, PATH_MTU_MIN, TAG_BYTES, TERM_BYTES, TERMS_MAX
from tests.unit.wire.samples import geometries


@given(geometries, st.integers(0, 2**50))
def test_pages_make_up_the_object(geometry: Geometry, object_bytes: int) -> None:
    count = geometry.page_count(object_bytes)
    if count == 0:
        assert object_bytes == 0
        return
    last = geometry.page_length(object_bytes, count - 1)
    assert 0 < last <= geometry.page_bytes
    assert (count - 1) * geometry.page_bytes + last == object_bytes
    if count > 1:
        assert geometry.page_length(object_bytes, 0) == geometry.page_bytes


@given(geometries, st.integers(1, 2**40))
def test_packets_make_up_the_sealed_page(geometry: Geometry, object_bytes: int) -> None:
    page = geometry.page_count(object_bytes) - 1
    sealed = geometry.page_length(object_bytes, page) + TAG_BYTES
    packets = geometry.packet_count(object_bytes, page)
    assert (packets - 1) * geometry.slice_bytes < sealed <= packets * geometry.slice_bytes
    assert 1 <= packets <= geometry.packets


@pytest.mark.parametrize("mtu", [MTU_MIN, 1280, 1500, 9000, MTU_MAX, 65536])
@pytest.mark.parametrize("is_ipv6", [False, True])
@pytest.mark.parametrize("target_count", [1, 2, 16, 1000])
def test_bursts_and_coded_packets_fit(mtu: int, is_ipv6: bool, target_count: int) -> None:
    geometry = Geometry.from_mtu(mtu, is_ipv6=is_ipv6, target_count=target_count)
    overhead = 48 if is_ipv6 else 28
    terms = max(2, min(target_count, TERMS_MAX))
    assert overhead + HEADER_BYTES + TERM_BYTES * (terms - 1) + geometry.slice_bytes <= mtu
    assert geometry.packets * (HEADER_BYTES + geometry.slice_bytes) < 65536 - 48


def test_a_page_of_ethernet_has_44_packets() -> None:
    geometry = Geometry.from_mtu(1500, is_ipv6=False, target_count=2)
    assert (geometry.slice_bytes, geometry.packets) == (1446, 44)
    assert geometry.sealed_bytes == geometry.page_bytes + TAG_BYTES == 63624


@pytest.mark.parametrize(
    ("mtu", "tried"),
    [
        (1500, [1500, 1492, 1476, 1450, 1420, 1400, 1350, 1300, 1280]),
        (65536, [MTU_MAX, 9000, 4000, 1500, 1492, 1476, 1450, 1420, 1400, 1350, 1300, 1280]),
        (1280, [1280]),
        (1000, [1000]),
    ],
)
def test_packet_sizes_lead_from_the_interface_down_to_the_minimum(mtu: int, tried: list[int]) -> None:
    steps = ladder(mtu, is_ipv6=False, target_count=3)
    assert [step.mtu for step in steps] == tried
    for step in steps:
        assert step.datagram_bytes == step.mtu - 28
        assert step.geometry == Geometry.from_mtu(step.mtu, is_ipv6=False, target_count=3)
    assert steps[-1].mtu == min(mtu, PATH_MTU_MIN)
