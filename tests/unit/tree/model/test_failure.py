"""Failures read well whatever the path holds."""

from __future__ import annotations

import errno

import pytest

from mrsync.tree.model.failure import Failure, printable


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        (b"plain name", "plain name"),
        ("\N{SNOWMAN}".encode(), "\N{SNOWMAN}"),
        (b"a\nb\x1b[2J", "a\\nb\\x1b[2J"),
        (b"\xff", "\\xff"),
        ("\u202e".encode(), "\\u202e"),
        (b"", "."),
    ],
)
def test_paths_are_printable(path: bytes, shown: str) -> None:
    assert printable(path) == shown


def test_a_failure_is_a_sentence() -> None:
    assert Failure(errno.EACCES, b"a/b", "read").sentence == "cannot read a/b: Permission denied"
