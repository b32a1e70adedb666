"""The bench does what it measures; how fast that is here is judged by `./run bench`, never by a test."""

from __future__ import annotations

import shutil

import pytest

from tests.bench.conditions import Condition, path
from tests.bench.impairments import missing_compiler
from tests.bench.links import MIB, fast_link, slow_link
from tests.bench.networks import measure
from tests.bench.peers.field import digest
from tests.bench.peers.parts import fill, one_file, prepared, rows
from tests.bench.peers.parts import seconds as seconds_of
from tests.bench.peers.race import ToolFailed, lap
from tests.bench.peers.race import race as competition
from tests.bench.peers.tools import MRSYNC, Tool, able
from tests.bench.relays import TOOLS, picture, race
from tests.remote.estate import missing_program

pytestmark = [pytest.mark.netns, pytest.mark.usefixtures("make_lab")]


def test_a_slow_link_is_measured() -> None:
    share, repairs = slow_link(0.01, 6 * MIB)
    assert 0 < share.value <= 100
    assert repairs.value > 0


def test_a_fast_link_is_measured() -> None:
    assert fast_link("4 KB", 16 * MIB, rounds=1).value > 0


@pytest.mark.skipif(shutil.which("nc") is None, reason="nc is not installed")
def test_tools_are_raced_to_targets_that_hear_no_multicast() -> None:
    seconds = dict(race(2, MIB))
    assert list(seconds) == [tool.name for tool in TOOLS]
    assert min(seconds.values()) > 0
    figures = [{"what": f"1 MiB to 2 deaf targets, 50mbit: {name}", "value": taken} for name, taken in seconds.items()]
    assert picture(figures).count("<polyline") == len(TOOLS)


@pytest.mark.skipif(missing_program() is not None, reason="there is no ssh")
def test_all_peers_bring_the_same_tree_to_all_targets() -> None:
    tools = able()
    with prepared(2, tools) as place:
        fill(place.source, 12, in_each=5)
        found = competition(place, tools, rounds=1)
    assert {name: laps for name, laps in found.items() if isinstance(laps, str)} == {}
    assert {row.tool for row in rows(2, found, seconds_of)} == {tool.name for tool in tools}


def test_processor_and_memory_of_master_and_targets_are_measured() -> None:
    with prepared(2, [MRSYNC], has_meters=True) as place:
        one_file(place, 4 * MIB)
        ran = lap(place, MRSYNC, digest(place.source))
    assert ran.master.cpu_s > 0
    assert ran.target.cpu_s > 0
    assert ran.target.peak_mb > 5


def test_a_tool_that_brings_something_else_has_failed() -> None:
    forgetful = Tool("forgetful", "a tool that copies nothing", lambda place: [place.start(place.lab.master, "true")])
    with prepared(1, [forgetful]) as place:
        one_file(place, MIB)
        with pytest.raises(ToolFailed, match="other contents on t1"):
            lap(place, forgetful, digest(place.source))


def test_a_bad_network_is_measured() -> None:
    if missing_compiler():
        pytest.skip(missing_compiler())
    row = measure(Condition("bursts are lost", 1.0, path(lost=(0.02, 10.0)), targets=2, size=4 * MIB))
    assert (row.status, row.exact) == (0, "all")
    assert row.repairs > 0
    assert str(row).startswith("| bursts are lost | ")
