"""Descriptions of exit statuses for --help, docs/cli.md and the man pages."""

from __future__ import annotations

from collections.abc import Mapping

from mrsync.errors import ExitStatus

MEANINGS: Mapping[ExitStatus, str] = {
    ExitStatus.OK: "every target equals the source",
    ExitStatus.USAGE: "wrong command line, or an internal error",
    ExitStatus.VERSION: "another protocol version",
    ExitStatus.SELECTION: "the source or the selection of files cannot be used",
    ExitStatus.START: "no target could be reached: no catcher could be started, or none of them could be heard",
    ExitStatus.SOCKET: "a socket could not be opened or used",
    ExitStatus.FILE: "a local file or directory cannot be used",
    ExitStatus.PROTOCOL: "invalid protocol data",
    ExitStatus.INTERRUPTED: "interrupted",
    ExitStatus.PARTIAL: "a file or a target is not up to date; stderr and the report say which",
    ExitStatus.VANISHED: "source files vanished, or changed twice, while they were read; "
    "all targets keep their old versions",
    ExitStatus.DELETIONS: "deletions were stopped by --max-delete, or refused as too many",
    ExitStatus.LOST: "every target was lost, or --stop-after or --stop-at ended the run",
}
