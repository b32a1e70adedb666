"""Failures are readable whatever the path contains; files that cannot be read are told apart from changed ones."""

from __future__ import annotations

import errno

import pytest

from mrsync.tree.model.failure import Changed, Failure, Fault, printable


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
    assert Failure(errno.ENOLINK, b"l", "read").sentence == "cannot read l: it is a soft link that leads nowhere"


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.EIO, errno.EMFILE, errno.ENOMEM])
def test_an_error_of_reading_is_a_fault_of_an_unreadable_file(number: int) -> None:
    assert Fault.of(OSError(number, "why")) == Fault("why", is_unreadable=True)


@pytest.mark.parametrize("number", [errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO, errno.ESTALE])
def test_a_missing_or_replaced_file_is_not_unreadable(number: int) -> None:
    fault = Fault.of(OSError(number, "why"))
    assert not fault.is_unreadable
    assert fault.reason.startswith("why" if number == errno.ESTALE else ("it ", "a "))


def test_a_changed_file_is_not_unreadable() -> None:
    assert Fault.of(Changed("it was written to")) == Fault("it was written to", is_unreadable=False)
