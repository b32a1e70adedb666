from __future__ import annotations

import os

from mrsync.remote.lines import LINE_BYTES_MAX, LineReader


def test_lines_are_complete_however_they_arrive() -> None:
    ours, theirs = os.pipe()
    reader = LineReader(ours)
    assert reader.read() == ([], True)
    os.write(theirs, b"one\ntw")
    assert reader.read() == ([b"one"], True)
    os.write(theirs, b"o\n\nthree")
    assert reader.read() == ([b"two", b""], True)
    os.close(theirs)
    assert reader.read() == ([b"three"], False)
    os.close(ours)


def test_a_line_without_end_is_cut() -> None:
    ours, theirs = os.pipe()
    reader = LineReader(ours)
    os.write(theirs, b"x" * LINE_BYTES_MAX)
    assert reader.read() == ([b"x" * LINE_BYTES_MAX], True)
    os.close(theirs)
    assert reader.read() == ([], False)
    os.close(ours)


def test_of_many_lines_only_the_last_ones_are_cut_apart() -> None:
    ours, theirs = os.pipe()
    reader = LineReader(ours)
    os.write(theirs, b"one\ntwo\nthree\nfour\nfi")
    assert reader.read(2) == ([b"four"], True)
    os.write(theirs, b"ve\n")
    assert reader.read(2) == ([b"five"], True)
    os.close(theirs)
    os.close(ours)
