"""The command `mrsync filelist` (trFilelist in 4.0.1): convert the output of rsync's dry run to a synclist."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator, Sequence
from itertools import islice

from mrsync.cli.registry.option import FILELIST
from mrsync.cli.registry.parser import make_parser
from mrsync.cli.streams import check_written
from mrsync.errors import ExitStatus, SelectionError
from mrsync.files import LINES_HELD_MAX, absolute, open_named, read_lines_bounded
from mrsync.tree.lists.rsync_output import translate
from mrsync.tree.lists.synclist import format_lines

STDIN = "-"


def filelist(name: str, arguments: Sequence[str]) -> int:
    """Convert the output, and return the exit status.

    It is that of SelectionError if a line could not be interpreted; all others are written anyway. Raise UsageError,
    SelectionError or FileError.
    """
    options = make_parser(FILELIST, called=name).parse_args(arguments)
    lines = _read_lines(options.output)
    items, doubts = translate(lines, absolute(os.fsencode(options.source)), is_itemized=options.itemized)
    sys.stdout.buffer.writelines(format_lines(items))
    check_written()
    for doubt in doubts:
        print(f"{name}: {doubt}", file=sys.stderr)
    return ExitStatus.SELECTION if doubts else ExitStatus.OK


def _read_lines(path: str) -> list[bytes]:
    try:
        if path == STDIN:
            return _limited(read_lines_bounded(sys.stdin.buffer))
        with open_named(path) as file:
            return _limited(read_lines_bounded(file))
    except OSError as error:
        raise SelectionError(f"cannot read rsync's output, {path}: {error.strerror}") from error


def _limited(lines: Iterator[bytes]) -> list[bytes]:
    """Return the lines. Raise OSError if there are too many."""
    found = list(islice(lines, LINES_HELD_MAX + 1))
    if len(found) > LINES_HELD_MAX:
        raise OSError(errno.EFBIG, f"it has more than {LINES_HELD_MAX} lines")
    return found
