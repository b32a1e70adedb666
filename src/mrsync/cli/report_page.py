"""The command mrsync report: make the HTML page from a JSON report at any later time."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from typing import Any

from mrsync.cli.output.html_report import html_report, is_page_of
from mrsync.cli.output.output_files import replace_file
from mrsync.cli.output.report import SCHEMA
from mrsync.cli.registry.option import REPORT
from mrsync.cli.registry.parser import make_parser
from mrsync.errors import FileError, UsageError
from mrsync.escaping import escape_controls
from mrsync.files import open_named, read_bounded

BYTES_MAX = 1 << 28


def report_page(arguments: Sequence[str]) -> int:
    """Write the page of a JSON report beside it, or to the file of -o, and print its path.

    Raise FileError or UsageError.
    """
    options = make_parser(REPORT).parse_args(arguments)
    if options.file == "-" and not options.output:
        raise UsageError("a report from stdin needs the name of the page: -o FILE.html")
    output = options.output or f"{os.path.splitext(options.file)[0]}.html"
    if os.path.abspath(output) == os.path.abspath(options.file):
        raise FileError(f"the page would replace the report {options.file}: name another file with -o")
    fields = read_report(options.file)
    try:
        page = html_report(fields)
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        reason = "it has fields or values that no report has"
        raise FileError(f"{escape_controls(options.file)} is not a report of mrsync: {reason}") from error
    if not options.output:
        _check_replaced(output, fields)
    replace_file(page, output)
    print(escape_controls(output))
    return 0


def _check_replaced(path: str, fields: dict[str, Any]) -> None:
    """Raise FileError if there is a file that is not the page of this report, as that of another run."""
    try:
        with open_named(path) as file:
            page = read_bounded(file, BYTES_MAX).decode(errors="replace")
    except FileNotFoundError:
        return
    except OSError as error:
        raise FileError(f"{escape_controls(path)} is in the way: {error.strerror}") from error
    if not is_page_of(page, fields):
        raise FileError(f"{escape_controls(path)} exists, and is not the page of this run: name a file with -o")


def read_report(path: str) -> dict[str, Any]:
    """Return the fields of a JSON report. Raise FileError if it is not a complete report."""
    try:
        with open_named(path) if path != "-" else sys.stdin.buffer as file:
            fields = json.loads(read_bounded(file, BYTES_MAX).decode())
    except OSError as error:
        raise FileError(f"cannot read {escape_controls(path)}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise FileError(f"{escape_controls(path)} is not JSON: {error}") from error
    if not isinstance(fields, dict) or fields.get("schema") != SCHEMA:
        raise FileError(f"{escape_controls(path)} is not a report of mrsync: its schema is not {SCHEMA}")
    if missing := sorted({"verdict", "targets", "seconds", "samples", "rtt_ms", "command"} - set(fields)):
        raise FileError(f"{escape_controls(path)} is not a complete report of mrsync: it lacks {', '.join(missing)}")
    return fields
