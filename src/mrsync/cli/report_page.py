"""The command mrsync report: make the HTML page from a JSON report at any later time."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from typing import Any

from mrsync.cli.output.html_report import html_report
from mrsync.cli.output.output_files import replace_file
from mrsync.cli.output.report import SCHEMA
from mrsync.cli.registry.option import REPORT
from mrsync.cli.registry.parser import make_parser
from mrsync.errors import FileError
from mrsync.escaping import escape_controls


def report_page(arguments: Sequence[str]) -> int:
    """Write the page of a JSON report beside it, or to the file of -o. Raise FileError or UsageError."""
    options = make_parser(REPORT).parse_args(arguments)
    output = options.output or f"{os.path.splitext(options.file)[0]}.html"
    if os.path.abspath(output) == os.path.abspath(options.file):
        raise FileError(f"the page would replace the report {options.file}: name another file with -o")
    replace_file(html_report(read_report(options.file)), output)
    return 0


def read_report(path: str) -> dict[str, Any]:
    """Return the fields of a JSON report. Raise FileError if it is not a complete report."""
    try:
        with open(path, encoding="utf-8") if path != "-" else sys.stdin as file:
            fields = json.load(file)
    except OSError as error:
        raise FileError(f"cannot read {escape_controls(path)}: {os.strerror(error.errno or 0)}") from error
    except ValueError as error:
        raise FileError(f"{escape_controls(path)} is not JSON: {error}") from error
    if not isinstance(fields, dict) or fields.get("schema") != SCHEMA:
        raise FileError(f"{escape_controls(path)} is not a report of mrsync: its schema is not {SCHEMA}")
    if missing := sorted({"verdict", "targets", "seconds", "samples", "rtt_ms", "command"} - set(fields)):
        raise FileError(f"{escape_controls(path)} is not a complete report of mrsync: it lacks {', '.join(missing)}")
    return fields
