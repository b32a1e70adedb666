"""Wildcard patterns, held against rsync's own documentation and against the clock."""

from __future__ import annotations

import re

import pytest

from mrsync.tree.filter import globs


def is_match(pattern: bytes, path: bytes) -> bool:
    source = globs.translate(pattern, rb"\0", globs.group_numbers())
    return source is not None and re.match(source, path + b"\0") is not None


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        (b"*.o", b"a.o", True),
        (b"*.o", b".o", True),
        (b"*.o", b"d/a.o", False),
        (b"**.o", b"d/a.o", True),
        (b"a?c", b"a/c", False),
        (b"a?c", b"a\nc", True),
        (b"d/**", b"d/e/f", True),
        (b"d/**", b"d", False),
        (b"a**b*c", b"a/x/b/b1c", True),
        (b"a**b*c", b"a/x/b/1c", False),
        (b"*a*b*c", b"xaxbxc", True),
        (b"*a*b*c", b"xaxcxb", False),
        (b"*ab*ab", b"abab", True),
        (b"*ab*ab", b"abxb", False),
        (b"[a-c]x", b"bx", True),
        (b"[!a-c]x", b"bx", False),
        (b"[^a-c]x", b"dx", True),
        (b"[]a]", b"]", True),
        (b"[!]a]", b"]", False),
        (b"[a-]", b"-", True),
        (b"[z-a]", b"m", False),
        (b"[\\]]", b"]", True),
        (b"[a-\\c]", b"b", True),
        (b"[[:digit:]a]", b"7", True),
        (b"[[:digit:]a]", b"a", True),
        (b"[[:digit:]a]", b"b", False),
        (b"[[:xdigit:]-z]", b"-", True),
        (b"[[:nothing:]]", b"n", False),
        (b"[[:]", b":", True),
        (b"[!a]", b"/", False),
        (b"[a", b"[a", False),
        (b"\\*", b"*", True),
        (b"\\*", b"a", False),
        (b"\\a*", b"ab", True),
        (b"*\\", b"a\\", False),
        (b"[\xe0-\xff]", b"\xfe", True),
    ],
)
def test_globs_match_as_rsync_does(pattern: bytes, path: bytes, expected: bool) -> None:
    assert is_match(pattern, path) is expected
    assert not expected or globs.literal_part(pattern) in path  # without it, no pattern is tried


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        (b"*a" * 40 + b"*b", b"a" * 255),
        (b"**a" * 40 + b"**b", b"a" * 4000),
        (b"*a*a**" * 20 + b"b", b"aa/" * 1300),
        (b"**a*" * 30 + b"b", b"aaaaaaa/" * 500),
        (b"?" * 100 + b"*a*a*a*a*[bc]", b"a" * 255),
    ],
)
def test_no_pattern_takes_forever(pattern: bytes, path: bytes) -> None:
    """Backtracking would run into the suite's limit for one test."""
    assert not is_match(pattern, path)


def test_slashes_in_a_class_count_as_levels() -> None:
    assert globs.translate(b"[a/b]", b"", globs.group_numbers(), has_level=True) is None
    assert globs.translate(b"[ab]/?", b"", globs.group_numbers(), has_level=True) is not None
