"""Blocks: shell commands and Python of README and docs, and what each one needs to be run as it stands there.

A block begins with ```sh or ```python. The line above it is a comment that readers do not see:

    <!-- run: local -->          run in an empty directory on this machine
    <!-- run: hosts -->          run on the master of a lab, with node1 to node3 behind sshd
    <!-- run: python -->         Python, run in an empty directory, and type-checked
    <!-- not run: REASON -->     cannot be run by a test, for this reason
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).parents[2]
FENCE = re.compile(
    r"^(?:<!-- (?P<mark>[^\n]*) -->\n)?(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^(?P=indent)```$", re.M | re.S
)
MARK = re.compile(r"run: (?P<place>local|hosts|python)|not run: (?P<reason>.+)")


@dataclass(frozen=True)
class Block:
    """One fenced block; line: of its fence, from 1."""

    path: Path
    line: int
    language: str
    mark: str
    text: str

    @property
    def name(self) -> str:
        return f"{self.path.relative_to(PROJECT)}:{self.line}"

    @property
    def place(self) -> str | None:
        """Return where it is run, or None."""
        match = MARK.fullmatch(self.mark)
        return match and match["place"]

    @property
    def is_marked(self) -> bool:
        return MARK.fullmatch(self.mark) is not None


def documents() -> list[Path]:
    """Return all texts that users and developers read."""
    found = [path for path in PROJECT.glob("*.md") if path.name != "CHANGELOG.md"]
    return sorted([*found, *(PROJECT / "docs").rglob("*.md")])


def blocks(path: Path) -> list[Block]:
    """Return all fenced blocks of a document."""
    text = path.read_text()
    return [
        Block(
            path, text.count("\n", 0, match.start("indent")) + 1, match["language"], match["mark"] or "", match["text"]
        )
        for match in FENCE.finditer(text)
    ]


def code_blocks() -> list[Block]:
    """Return the blocks of shell commands and of Python."""
    return [block for path in documents() for block in blocks(path) if block.language in ("sh", "python")]


def marked_blocks(place: str) -> list[Block]:
    """Return the blocks that are to be run in this place."""
    return [block for block in code_blocks() if block.place == place]
