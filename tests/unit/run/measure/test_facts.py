"""Facts on their way: whatever a line says, it is facts, no facts, or an error of one sentence."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mrsync.errors import ProtocolDataError
from mrsync.run.measure.facts import (
    DiskFacts,
    Facts,
    Heard,
    HostCounters,
    HostFacts,
    VolumeFacts,
    decode_facts,
    encode_facts,
)

FACTS: list[Facts] = [
    HostFacts(python="3.9.18", interface="eth0", mtu=1500, has_cryptography=True, clock_us=1_700_000_000_000_000),
    DiskFacts(path="/data", write_bytes_s=1.5e8, free_bytes=10**12, free_inodes=-1),
    HostCounters(1, 2, 3, 4, 5, "Operation not permitted"),
    Heard(8, 0, 77, 0, "eth1", 1),
    VolumeFacts(3, 44, 63712, 0.25),
]
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


def test_facts_are_decoded_as_they_were_encoded() -> None:
    line = encode_facts(FACTS)
    assert "\n" not in line
    assert decode_facts(line.encode()) == FACTS


def test_other_lines_are_no_facts() -> None:
    for line in (b"", b"hello", b'{"ready": true}', b"\xff\x00"):
        assert decode_facts(line) is None


@pytest.mark.parametrize(
    "row",
    [
        [],
        ["strange"],
        ["counters", 1, 2, 3],
        ["counters", 1, 2, 3, 4, 5, 6],
        ["counters", True, 2, 3, 4, 5, ""],
        ["counters", 2**63, 2, 3, 4, 5, ""],
        ["volume", 1, 2, 3, "0.5"],
        ["heard", 8, 0, 1, 0, "x" * 401, 1],
        [["host"], 1],
        None,
    ],
)
def test_facts_that_no_honest_probe_sends_are_refused(row: object) -> None:
    with pytest.raises(ProtocolDataError, match="make no sense"):
        decode_facts(b'{"facts"' + json.dumps({"facts": [row]})[len('{"facts"') :].encode())


@given(json_values)
def test_any_json_is_facts_or_an_error(value: object) -> None:
    try:
        decoded = decode_facts(b'{"facts": ' + json.dumps(value).encode() + b"}")
    except ProtocolDataError:
        return
    assert isinstance(decoded, list)


def test_nothing_that_a_terminal_obeys_gets_through() -> None:
    (counters,) = decode_facts(encode_facts([HostCounters(last_failure="\x1b[31mred\n")]).encode()) or []
    assert counters == HostCounters(last_failure="[31mred")
