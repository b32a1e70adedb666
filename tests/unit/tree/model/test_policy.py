"""The policy survives encoding and decoding; a hostile one is refused."""

from __future__ import annotations

import json

import pytest

from mrsync.errors import ProtocolDataError, ProtocolVersionError
from mrsync.tree.model.policy import POLICY_BYTES_MAX, Policy


def test_encoding_and_decoding_are_inverse() -> None:
    for policy in (Policy(), Policy(deletes=False, numeric_ids=True)):
        assert Policy.decode(policy.encode()) == policy


def test_the_default_costs_nothing() -> None:
    assert Policy().encode() == b"{}"


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"null", b"{", b'{"deletes":1}', b'{"deletes":null}', b'{"deletes":"x"}', b"[" * 100_000, b"\xff"],
)
def test_nonsense_is_refused(data: bytes) -> None:
    with pytest.raises(ProtocolDataError):
        Policy.decode(data)


@pytest.mark.parametrize("path", ["..", "a/..", "../b", ".", "", "/etc", "a//b", "a/", "x" * 256, "d/" * 5000 + "d"])
def test_what_is_to_be_deleted_is_below_the_destination(path: str) -> None:
    with pytest.raises(ProtocolDataError, match="a path to delete"):
        Policy.decode(Policy(missing=("fine", path)).encode())


@pytest.mark.parametrize("text", ["a\0b", "\ud800"])
@pytest.mark.parametrize("name", ["missing", "temp_dir"])
def test_text_that_no_system_call_takes_is_refused(name: str, text: str) -> None:
    fields = {name: [text] if name == "missing" else text}
    with pytest.raises(ProtocolDataError, match=f"impossible {name}"):
        Policy.decode(json.dumps(fields).encode())


def test_too_much_is_refused() -> None:
    with pytest.raises(ProtocolDataError):
        Policy.decode(b'{"deletes":true' + b" " * POLICY_BYTES_MAX + b"}")


def test_a_field_of_a_later_version_is_not_passed_over() -> None:
    with pytest.raises(ProtocolVersionError, match="'shreds'"):
        Policy.decode(json.dumps({"shreds": True}).encode())
