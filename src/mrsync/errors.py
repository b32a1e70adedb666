"""Every way to fail: one class, one sentence, one exit status (see docs/cli.md)."""

from __future__ import annotations

from enum import IntEnum


class ExitStatus(IntEnum):
    """How a command ends; docs/cli.md says more."""

    OK = 0
    USAGE = 1
    VERSION = 2
    SELECTION = 3
    START = 5
    SOCKET = 10
    FILE = 11
    PROTOCOL = 12
    INTERRUPTED = 20
    PARTIAL = 23
    VANISHED = 24
    DELETIONS = 25
    LOST = 30


class MrsyncError(Exception):
    """Base of all errors that end a command; str() is the sentence for stderr."""

    exit_status: ExitStatus = ExitStatus.USAGE


class UsageError(MrsyncError):
    """The command line asks for something impossible."""

    exit_status = ExitStatus.USAGE


class LimitError(MrsyncError):
    """The source is more than one session can cast."""

    exit_status = ExitStatus.USAGE


class RuleError(MrsyncError):
    """A filter rule makes no sense."""

    exit_status = ExitStatus.USAGE


class ProtocolVersionError(MrsyncError):
    """The two ends do not speak the same version."""

    exit_status = ExitStatus.VERSION


class SelectionError(MrsyncError):
    """The source or the choice of files cannot be used."""

    exit_status = ExitStatus.SELECTION


class StartError(MrsyncError):
    """No catcher could be started."""

    exit_status = ExitStatus.START


class SocketError(MrsyncError):
    """The network cannot be used as asked."""

    exit_status = ExitStatus.SOCKET


class PortInUseError(SocketError):
    """Another program, perhaps another session, has the port."""


class FileError(MrsyncError):
    """A local file or directory cannot be used."""

    exit_status = ExitStatus.FILE


class ProtocolDataError(MrsyncError):
    """Authentic bytes that make no sense; the other end is broken or hostile."""

    exit_status = ExitStatus.PROTOCOL


class Interrupted(MrsyncError):
    """A signal ended the run."""

    exit_status = ExitStatus.INTERRUPTED
