"""What a misspelled word was meant to be."""

from __future__ import annotations

import pytest

from mrsync.spelling import closest, did_you_mean

WORDS = ("port", "rate", "checksum", "exclude")


@pytest.mark.parametrize(
    ("word", "meant"), [("prot", "port"), ("exlude", "exclude"), ("check-sum", "checksum"), ("zebra", None), ("", None)]
)
def test_the_closest_word_is_found_if_any_is_similar(word: str, meant: str | None) -> None:
    assert closest(word, WORDS) == meant


def test_a_suggestion_is_the_end_of_a_message() -> None:
    assert did_you_mean("prot", WORDS) == "; did you mean port?"
    assert did_you_mean("rack", ["racks"], before="@hosts:") == "; did you mean @hosts:racks?"
    assert did_you_mean("zebra", WORDS) == ""
