"""python -m mrsync: the same as the command mrsync."""

from __future__ import annotations

import sys

from mrsync.cli.main import mrsync

if __name__ == "__main__":
    sys.exit(mrsync())
