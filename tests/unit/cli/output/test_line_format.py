"""Lines of --out-format: rsync's escapes, and what a format without %i leaves out."""

from __future__ import annotations

import os
import time

import pytest

from mrsync.cli.output.line_format import NOTHING, formatted, number, problem_of
from mrsync.run.cast.ledger import Line
from mrsync.run.cast.outcome import About

ABOUT = About(size=1234567, mode=0o100644, uid=7, gid=8, seconds=86400.0)


def shown(text: str, letters: str = ">f+++++++++", path: str = "d/new") -> str | None:
    line = Line((0,), letters, path.encode(), b" -> x")
    return formatted(text, line, lambda _: ABOUT, "n[1-3]", path, " -> x")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("%i %n%L", ">f+++++++++ d/new -> x"),
        ("%f", "d/new"),
        ("%l|%'l|%''l|%'''l", "1234567|1,234,567|1.23M|1.18M"),
        ("%10l|%-10l|", "   1234567|1234567   |"),
        ("%B %U:%G", "rw-r--r-- 7:8"),
        ("%h %o %p", "n[1-3] send {process}"),
        ("100%%", "100%"),
        ("[%a%m%P%u]", "[]"),
        ("%Z", "%Z"),
    ],
)
def test_escapes_mean_the_same_as_in_rsync(text: str, expected: str) -> None:
    assert shown(text) == expected.format(process=os.getpid())


def test_times_are_local() -> None:
    assert shown("%M") == time.strftime("%Y/%m/%d-%H:%M:%S", time.localtime(ABOUT.seconds))
    assert shown("%t", letters=".d..t......") is not None


def test_an_entry_that_the_source_does_not_have_has_no_mode() -> None:
    line = Line((0,), ">f+++++++++", b"gone")
    assert formatted("%B", line, lambda _: About(), "a", "gone", "") == "-" * 9


def test_deletions_need_no_format() -> None:
    assert shown("%n", letters="*deleting  ") == "deleting d/new"
    assert shown(NOTHING, letters="*deleting  ") == "deleting d/new"
    assert shown("%o %n", letters="*deleting  ") == "del. d/new"


def test_attributes_of_files_are_told_with_i_only() -> None:
    assert shown("%n", letters=".f..t......") is None
    assert shown("%n", letters=".d..t......") == "d/new"
    assert shown("%i", letters=".f..t......") == ".f..t......"
    assert shown(NOTHING) is None


def test_escapes_that_mrsync_has_no_value_for_are_refused() -> None:
    assert problem_of("%n%L") is None
    assert problem_of("%n %C") == "%C: there are no checksums of whole files"


@pytest.mark.parametrize(
    ("value", "level", "expected"),
    [(999, 2, "999"), (1000, 2, "1.00K"), (1024, 3, "1.00K"), (-2_000_000, 2, "-2.00M"), (10**19, 2, "10000.00P")],
)
def test_numbers_are_as_readable_as_asked_for(value: int, level: int, expected: str) -> None:
    assert number(value, level) == expected
