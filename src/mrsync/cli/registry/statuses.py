"""Descriptions of exit statuses for --help, docs/cli.md and the man pages."""

from __future__ import annotations

from collections.abc import Mapping

from mrsync.errors import ExitStatus

MEANINGS: Mapping[ExitStatus, str] = {
    ExitStatus.OK: "every target equals the source",
    ExitStatus.USAGE: "usage",
    ExitStatus.VERSION: "another protocol version",
    ExitStatus.SELECTION: "the source or the choice of files cannot be used",
    ExitStatus.START: "no target could be reached: nothing could be started there, or what started was not heard",
    ExitStatus.SOCKET: "socket",
    ExitStatus.FILE: "local file or directory",
    ExitStatus.PROTOCOL: "protocol data that makes no sense",
    ExitStatus.INTERRUPTED: "interrupted",
    ExitStatus.PARTIAL: "some file or some target is behind; stderr and the report say which",
    ExitStatus.VANISHED: "source files vanished, or changed twice, while they were read; "
    "all targets keep what they had of them",
    ExitStatus.DELETIONS: "deletions were stopped by --max-delete, or refused as too many",
    ExitStatus.LOST: "every target was lost",
}
