"""trFilelist, also called `mrsync filelist`: from rsync's dry-run output to a synclist on stdout."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from mrsync.cli.parser import make_parser
from mrsync.errors import FileError, SelectionError
from mrsync.files import open_named
from mrsync.tree.source.rsync_output import translate
from mrsync.tree.source.synclist import format_lines

STDIN = "-"


def filelist(name: str, arguments: Sequence[str]) -> int:
    """The exit status: 0, or that of SelectionError if a line could not be settled; the rest is written all the same.

    Raises UsageError, SelectionError, FileError.
    """
    parser = make_parser(name, "Turn the output of rsync -avW --dry-run --delete [-H] [-i] into a synclist on stdout.")
    parser.add_argument("output", metavar="RSYNC_OUTPUT", help="file with what rsync said; -: stdin")
    parser.add_argument("source", metavar="SOURCE", help="the directory that rsync read; it settles what is ambiguous")
    parser.add_argument(
        "-i",
        "--itemized",
        action="store_true",
        default=None,
        help="it is the output of rsync -i; default: find out",
    )
    options = parser.parse_args(arguments)
    lines = _read_lines(options.output)
    items, doubts = translate(lines, os.fsencode(os.path.abspath(options.source)), is_itemized=options.itemized)
    try:
        sys.stdout.buffer.writelines(format_lines(items))
        sys.stdout.buffer.flush()
    except OSError as error:
        raise FileError(f"cannot write the synclist: {error.strerror}") from error
    for doubt in doubts:
        print(f"{name}: {doubt}", file=sys.stderr)
    return SelectionError.exit_status if doubts else 0


def _read_lines(path: str) -> list[bytes]:
    try:
        if path == STDIN:
            return sys.stdin.buffer.readlines()
        with open_named(path) as file:
            return file.readlines()
    except OSError as error:
        raise SelectionError(f"cannot read what rsync said, {path}: {error.strerror}") from error
