"""Make the tables of docs/cli.md anew from the registry of options: `./run docs`."""

from __future__ import annotations

from pathlib import Path

from mrsync.cli.registry.reference import filled

DOCUMENT = Path(__file__).parents[1] / "docs" / "cli.md"

if __name__ == "__main__":
    DOCUMENT.write_text(filled(DOCUMENT.read_text()))
