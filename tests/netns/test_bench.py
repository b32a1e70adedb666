"""The bench does what it measures; how fast that is here is judged by `./run bench`, never by a test."""

from __future__ import annotations

import shutil

import pytest

from tests.bench.conditions import Condition, path
from tests.bench.impairments import missing_compiler
from tests.bench.links import MIB, fast_link, slow_link
from tests.bench.networks import measure
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


def test_a_bad_network_is_measured() -> None:
    if missing_compiler():
        pytest.skip(missing_compiler())
    row = measure(Condition("bursts are lost", 1.0, path(lost=(0.02, 10.0)), targets=2, size=4 * MIB))
    assert (row.status, row.exact) == (0, "all")
    assert row.repairs > 0
    assert str(row).startswith("| bursts are lost | ")
