"""Every block of commands or Python in README and docs is run by a test, or says why not; see tests/docs/blocks.py."""

from __future__ import annotations

import re

from tests.docs.blocks import blocks, code_blocks, documents

COMMAND = re.compile(
    r"^(?:\$ |\w+\$ )?(?:sudo )?(?:mrsync|multicaster|multicatcher|rtt|rttcatcher|trFilelist|\./run|ssh|pip|pipx) ",
    re.M,
)
NOT_RUN_MAX = 30


def test_every_block_of_commands_is_marked_with_its_place() -> None:
    unmarked = [block.name for block in code_blocks() if not block.is_marked]
    assert unmarked == [], (
        "put <!-- run: local -->, <!-- run: hosts -->, <!-- run: python --> or <!-- not run: REASON --> above"
    )


def test_commands_stand_in_blocks_of_commands() -> None:
    """A block without a language would escape; `text` is for what is shown, such as a synopsis."""
    found = [
        block.name
        for path in documents()
        for block in blocks(path)
        if not block.language and COMMAND.search(block.text)
    ]
    assert found == [], "begin these blocks with ```sh, or with ```text where nothing is to be typed"


def test_few_blocks_are_not_run() -> None:
    not_run = [block.name for block in code_blocks() if block.place is None]
    assert len(code_blocks()) > len(not_run)
    assert len(not_run) <= NOT_RUN_MAX, not_run
