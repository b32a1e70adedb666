"""Descriptions of exit statuses for --help, docs/cli.md and the man pages. MEANINGS: of a sync."""

from __future__ import annotations

from collections.abc import Mapping

from mrsync.cli.registry.option import DOCTOR, FILELIST, MULTICATCHER, REPORT, RTT, RTTCATCHER, VERIFY
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
    "all targets keep the old versions of these, or have a file as it was when it was opened",
    ExitStatus.DELETIONS: "deletions were stopped by --max-delete, or refused as too many",
    ExitStatus.LOST: "every target was lost or refused, or --stop-after or --stop-at ended the run",
}

_SMALL = {status: MEANINGS[status] for status in (ExitStatus.OK, ExitStatus.USAGE, ExitStatus.INTERRUPTED)}
_REMOTE = _SMALL | {ExitStatus.START: "no target could be reached"}
_NETWORK = {status: MEANINGS[status] for status in (ExitStatus.SOCKET, ExitStatus.FILE)}
_OWN: Mapping[str, Mapping[ExitStatus, str]] = {
    DOCTOR: _REMOTE
    | {
        ExitStatus.OK: "every target is fit",
        ExitStatus.SOCKET: MEANINGS[ExitStatus.SOCKET],
        ExitStatus.PARTIAL: "a target has a fault",
    },
    VERIFY: _REMOTE
    | {
        ExitStatus.OK: "every target equals the record of its last sync, which was of the same tree for all",
        ExitStatus.PARTIAL: "a target differs from its record, has none or one of another tree, or was not reached",
    },
    RTT: _REMOTE
    | _NETWORK
    | {
        ExitStatus.OK: "every target echoed",
        ExitStatus.PARTIAL: "a target did not echo",
        ExitStatus.LOST: "no target echoed",
    },
    RTTCATCHER: _NETWORK | {ExitStatus.USAGE: MEANINGS[ExitStatus.USAGE], ExitStatus.INTERRUPTED: "interrupted"},
    MULTICATCHER: _SMALL
    | _NETWORK
    | {
        ExitStatus.OK: "DEST equals the source",
        ExitStatus.VERSION: MEANINGS[ExitStatus.VERSION],
        ExitStatus.PROTOCOL: MEANINGS[ExitStatus.PROTOCOL],
        ExitStatus.INTERRUPTED: "interrupted, or the master ended the session",
        ExitStatus.PARTIAL: "DEST is not up to date; stderr says why",
    },
    FILELIST: _SMALL
    | {
        ExitStatus.OK: "every line became an entry of the synclist",
        ExitStatus.SELECTION: "the output cannot be read, or a line of it makes no sense",
        ExitStatus.FILE: "the synclist cannot be written",
    },
    REPORT: _SMALL
    | {
        ExitStatus.OK: "the page was written",
        ExitStatus.FILE: "the report cannot be read or is none, or the page cannot be written",
    },
}


def meanings_of(program: str) -> Mapping[ExitStatus, str]:
    """Return what the exit statuses of a program mean, in ascending order."""
    return dict(sorted(_OWN.get(program, MEANINGS).items()))
