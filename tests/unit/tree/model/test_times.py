"""Times are compared as --modify-window says."""

from __future__ import annotations

import pytest

from mrsync.tree.model.times import is_same_time

SECOND = 1_000_000_000


@pytest.mark.parametrize(
    ("apart_ns", "window", "expected"),
    [
        (0, -1, True),
        (1, -1, False),
        (SECOND - 1, 0, True),
        (SECOND, 0, False),
        (SECOND, 1, True),
        (2 * SECOND - 1, 1, True),
        (2 * SECOND, 1, False),
    ],
)
def test_a_window_is_of_whole_seconds_or_none(apart_ns: int, window: int, expected: bool) -> None:
    for start in (0, 10 * SECOND, -10 * SECOND):
        assert is_same_time(start, start + apart_ns, window) is expected
        assert is_same_time(start + apart_ns, start, window) is expected
