"""All errors that end a command: each class has an exit status (see docs/cli.md), and each message is one sentence."""

from __future__ import annotations

import errno
import os
from enum import IntEnum


class ExitStatus(IntEnum):
    """Exit statuses of all commands; see docs/cli.md."""

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
    TIMEOUT = 30  # as with rsync


def describe_shortage(error: BaseException) -> str:
    """Return a sentence if this host has too little of something for a program, else ""."""
    if isinstance(error, MemoryError) or _is_about(error, errno.ENOMEM):
        return "there is not enough memory for this program (ulimit -v, or a limit of the container)"
    if _is_about(error, errno.EMFILE, errno.ENFILE):
        return f"{os.strerror(errno.EMFILE)} on this host: raise the limit (ulimit -n)"
    if isinstance(error, RuntimeError) and str(error) == "can't start new thread":
        return "no thread can be started on this host: raise the limit (ulimit -u, -v, or of the container)"
    return ""


def _is_about(error: BaseException, *numbers: int) -> bool:
    """Return whether it has one of these error numbers.

    If a module cannot be loaded, the exception has only the text of the error.
    """
    if isinstance(error, ImportError):
        return any(os.strerror(number) in str(error) for number in numbers)
    return isinstance(error, OSError) and error.errno in numbers


class MrsyncError(Exception):
    """Base class of all errors that end a command. str() is the sentence to print on stderr."""

    exit_status: ExitStatus = ExitStatus.USAGE


class UsageError(MrsyncError):
    """The command line is wrong."""

    exit_status = ExitStatus.USAGE


class LimitError(MrsyncError):
    """The source is too large for one session."""

    exit_status = ExitStatus.USAGE


class RuleError(MrsyncError):
    """A filter rule is malformed."""

    exit_status = ExitStatus.USAGE


class ProtocolVersionError(MrsyncError):
    """The two ends have different versions of the protocol."""

    exit_status = ExitStatus.VERSION


class SelectionError(MrsyncError):
    """The source or the selection of files cannot be used."""

    exit_status = ExitStatus.SELECTION


class StartError(MrsyncError):
    """No catcher could be started."""

    exit_status = ExitStatus.START


class SocketError(MrsyncError):
    """The network cannot be used as requested."""

    exit_status = ExitStatus.SOCKET


class PortInUseError(SocketError):
    """Another program, perhaps another session, uses the port."""


class FileError(MrsyncError):
    """A local file or directory cannot be used."""

    exit_status = ExitStatus.FILE


class DeletionsRefused(FileError):
    """Most of what a target has would be deleted, which is unlikely to be meant."""


class ProtocolDataError(MrsyncError):
    """Authentic data is malformed, so the other end is faulty or hostile."""

    exit_status = ExitStatus.PROTOCOL


class Interrupted(MrsyncError):
    """A signal ended the run."""

    exit_status = ExitStatus.INTERRUPTED
