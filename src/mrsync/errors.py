"""Every way to fail: one class, one sentence, one exit status (see docs/cli.md)."""

from __future__ import annotations


class MrsyncError(Exception):
    """Base of all errors that end a command; str() is the sentence for stderr."""

    exit_status = 1


class UsageError(MrsyncError):
    """The command line asks for something impossible."""

    exit_status = 1


class LimitError(MrsyncError):
    """The source is more than one session can cast."""

    exit_status = 1


class RuleError(MrsyncError):
    """A filter rule makes no sense."""

    exit_status = 1


class ProtocolVersionError(MrsyncError):
    """The two ends do not speak the same version."""

    exit_status = 2


class SelectionError(MrsyncError):
    """The source or the choice of files cannot be used."""

    exit_status = 3


class StartError(MrsyncError):
    """No catcher could be started."""

    exit_status = 5


class SocketError(MrsyncError):
    """The network cannot be used as asked."""

    exit_status = 10


class PortInUseError(SocketError):
    """Another program, perhaps another session, has the port."""


class FileError(MrsyncError):
    """A local file or directory cannot be used."""

    exit_status = 11


class ProtocolDataError(MrsyncError):
    """Authentic bytes that make no sense; the other end is broken or hostile."""

    exit_status = 12


class Interrupted(MrsyncError):
    """A signal ended the run."""

    exit_status = 20
