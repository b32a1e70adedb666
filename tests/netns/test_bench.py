"""The bench does what it measures; how fast that is here is judged by `./run bench`, never by a test."""

from __future__ import annotations

import shutil

import pytest

from tests.bench.links import MIB, fast_link, slow_link
from tests.bench.relays import TOOLS, picture, race

pytestmark = [pytest.mark.netns, pytest.mark.usefixtures("make_lab")]


@pytest.mark.parametrize("loss", [0.0, 0.01])
def test_a_slow_link_is_measured(loss: float) -> None:
    share, repairs = slow_link(loss, 8 * MIB)
    assert 0 < share.value <= 100
    assert (repairs.value > 0) is (loss > 0)


def test_a_fast_link_is_measured() -> None:
    assert fast_link("4 KB", 16 * MIB, rounds=1).value > 0


@pytest.mark.skipif(shutil.which("nc") is None, reason="nc is not installed")
def test_tools_are_raced_to_targets_that_hear_no_multicast() -> None:
    seconds = dict(race(2, MIB))
    assert seconds.keys() == TOOLS.keys()
    assert min(seconds.values()) > 0
    figures = [{"what": f"1 MiB to 2 deaf targets, 50mbit: {name}", "value": taken} for name, taken in seconds.items()]
    assert picture(figures).count("<polyline") == len(TOOLS)
