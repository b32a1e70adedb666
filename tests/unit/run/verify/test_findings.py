"""Findings on their way: whatever a line says, it is a finding, none, or an error of one sentence."""

from __future__ import annotations

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mrsync.errors import ProtocolDataError
from mrsync.run.verify.findings import TEXT_MAX, Pulse, TreeVerdict, VerifierFinding, decode_finding, encode_finding
from mrsync.tree.record.verification import Difference

VERDICT = TreeVerdict("", "ab" * 16, 1_700_000_000.5, 9, 7, 10**12, 1, 3, 0.25)
DIFFERENCE = ["contents", "a/b", "page 3 differs", 3]
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=9) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
)


def line_of(values: object) -> bytes:
    return json.dumps({"verify": values}).encode()


@pytest.mark.parametrize(
    "finding",
    [
        VERDICT,
        TreeVerdict("there is no record of this tree"),
        Pulse(12),
        Difference("missing", b"a file", "", -1),
        Difference("contents", "é".encode() + b"\xff\n", "page 3 differs", 3),
    ],
)
def test_a_finding_is_decoded_as_it_was_encoded(finding: VerifierFinding) -> None:
    line = encode_finding(finding)
    assert "\n" not in line
    assert decode_finding(line.encode()) == finding


@pytest.mark.parametrize("line", [b"", b"hello", b' {"verify": []}', b'{"ready": true}', b"\xff\x00"])
def test_other_lines_are_no_findings(line: bytes) -> None:
    assert decode_finding(line) is None


@pytest.mark.parametrize(
    "values",
    [
        None,
        5,
        [],
        [-1],
        [True],
        [*DIFFERENCE, 1],
        ["strange", *DIFFERENCE[1:]],
        [["contents"], *DIFFERENCE[1:]],
        ["contents", None, "", 3],
        ["contents", "a", ["x"], 3],
        ["contents", "a" * (TEXT_MAX + 1), "", 3],
        ["contents", "a", "x" * (TEXT_MAX + 1), 3],
        ["contents", "a\ud800", "", 3],
        *(["contents", "a", "", page] for page in (-2, 2**63, 1.0, True, "1")),
        *([*VERDICT[:3], number, *VERDICT[4:]] for number in (-1, 2**63, 1.5, True, "1", None)),
        *([*VERDICT[:2], at, *VERDICT[3:]] for at in (-1.0, float("nan"), float("inf"), 9e18, "now", False)),
        *([VERDICT[0], digest, *VERDICT[2:]] for digest in ("\x1b[2J", "ab ", "AB", "abc", "٣٣")),
        [3, *VERDICT[1:]],
        ["", "x" * (TEXT_MAX + 1), *VERDICT[2:]],
        {"kind": 1, "path": 2, "detail": 3, "page": 4},
        "four",
    ],
)
def test_findings_that_no_honest_verifier_sends_are_refused(values: object) -> None:
    with pytest.raises(ProtocolDataError, match="makes no sense") as caught:
        decode_finding(line_of(values))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    "line",
    [b'{"verify"', b'{"verify": ' + b"[" * 100_000, b'{"verify": ' + b"9" * 5000 + b"}", b'{"verify": "\xff"}'],
)
def test_a_line_that_is_not_json_is_refused(line: bytes) -> None:
    with pytest.raises(ProtocolDataError, match="makes no sense"):
        decode_finding(line)


@given(json_values)
def test_any_json_is_a_finding_or_an_error(value: object) -> None:
    try:
        found = decode_finding(line_of(value))
    except ProtocolDataError:
        return
    assert found is not None
    assert decode_finding(encode_finding(found).encode()) == found


def test_a_path_of_any_bytes_arrives() -> None:
    path = bytes(byte for byte in range(1, 256) if byte != ord("/"))
    found = decode_finding(encode_finding(Difference("extra", path, "", -1)).encode())
    assert isinstance(found, Difference)
    assert (found.path, os.fsdecode(found.path)) == (path, os.fsdecode(path))
