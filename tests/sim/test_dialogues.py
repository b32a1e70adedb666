"""The sequence diagrams of the documents are what the cores say."""

from __future__ import annotations

from tests.sim.dialogues import DOCUMENT, document


def test_the_dialogues_are_those_of_the_simulator() -> None:
    assert DOCUMENT.read_text() == document(), "the cores say something else now: python -m tests.sim.dialogues"


def test_each_dialogue_shows_its_topic() -> None:
    _, clean, loss, deaf = document().split("\n## ")
    assert "CODED" not in clean
    assert "is lost" in loss
    assert "CODED page 2 packet 2 xor page 4 packet 0" in loss
    assert "target2->>master: KNOCK" in deaf
    assert "master->>target2: PAGE" in deaf
