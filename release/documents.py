"""Make the tables of docs/cli.md and docs/rsync.md anew from the registry of options: `./run docs`."""

from __future__ import annotations

from pathlib import Path

from mrsync.cli.registry.reference import filled
from release.rsync_table import rsync_tables_filled

DOCUMENT = Path(__file__).parents[1] / "docs" / "cli.md"
RSYNC_DOCUMENT = DOCUMENT.with_name("rsync.md")

if __name__ == "__main__":
    DOCUMENT.write_text(filled(DOCUMENT.read_text()))
    RSYNC_DOCUMENT.write_text(rsync_tables_filled(RSYNC_DOCUMENT.read_text()))
