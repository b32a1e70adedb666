"""The words that start a catcher on a target: the remote shell's on this host, and the command it is given."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Sequence
from typing import NamedTuple

from mrsync.errors import UsageError
from mrsync.remote.shell_kinds import ShellKind, check_words, command_words, kind_of, real_name, user_words

MARKER = b"mrsync catcher"  # a line of its own; what a login shell wrote before is noise

# Within single quotes sh, bash, csh and fish understand this alike: no quote, backslash, exclamation mark or newline.
# Nothing is imported from the directory that the login shell happens to be in. -I would do that too, but it leaves out
# the user's own site-packages, where `cryptography` may be, and Python 2.7, which is to say that it is too old.
# Reads one line byte by byte, for what follows is not for this Python's buffers; works from Python 2.7 on.
STARTER = (
    "import sys;sys.path[:]=filter(None,sys.path);import io,os;"
    'os.write(1,os.linesep.join(["","mrsync catcher",""]).encode());'
    'exec(io.open(0,"rb",0,closefd=False).readline())'
)

# Behind the user's own options, for of two that contradict ssh takes the first.
SSH_OPTIONS = ("-T", "-x", "-a", "-oBatchMode=yes", "-oServerAliveInterval=15", "-oServerAliveCountMax=4")


class CatcherCommand(NamedTuple):
    """How a catcher starts on a target: from a bundle, in this Python, or installed in this directory by this name.

    python: words that every login shell takes as they are, with blanks between. is_sudo: as root, by sudo.
    """

    python: str = "python3"
    directory: str | None = None
    name: str = "multicatcher"
    is_sudo: bool = False

    @property
    def is_pushed(self) -> bool:
        """Whether the program must be sent."""
        return self.directory is None

    @property
    def program(self) -> str:
        """What must be there."""
        return self.python.split()[-1] if self.directory is None else f"{self.directory.rstrip('/')}/{self.name}"

    def on(self, host: str) -> str:
        """The command line for the login shell of a target that is named `host`; no secret is in it."""
        start = "exec sudo -n " if self.is_sudo else "exec "  # -n: a password is never asked for
        if self.directory is not None:
            return f"{start}{self.program} --launched {host}"
        return f"{start}{self.python} -c '{STARTER}' {host}"


class RemoteShell(NamedTuple):
    """The words in front of HOST and COMMAND. user: whom to be there, where the words do not say it."""

    words: tuple[str, ...]
    user: str = ""

    @classmethod
    def parse(cls, text: str, connect_timeout_s: float, user: str = "") -> RemoteShell:
        """From -r: a name, a path, a command with options. Raises UsageError."""
        try:
            words = shlex.split(text)
        except ValueError as error:
            raise UsageError(f"the remote shell {text!r} cannot be understood: {error}") from error
        if not words:
            raise UsageError("the remote shell is empty (-r)")
        words[0] = os.path.expanduser(words[0])
        if shutil.which(words[0]) is None:
            raise UsageError(f"there is no remote shell {words[0]} on this host (-r): install it, or name another one")
        kind = kind_of(words)
        check_words(kind, words)
        if user:
            words += user_words(kind, words, user)
        if os.path.basename(words[0]) == "ssh":
            words += [*SSH_OPTIONS, f"-oConnectTimeout={max(1, round(connect_timeout_s))}"]
        return cls(tuple(words), user if kind is ShellKind.OTHER else "")

    @property
    def name(self) -> str:
        """As people call it."""
        return os.path.basename(self.words[0])

    def real_name(self, target: str) -> str | None:
        """What else a target's host is called, as far as this remote shell can say."""
        return real_name(kind_of(self.words), self.words, target)

    def towards(self, host: str, command: str) -> Sequence[str]:
        """The whole command on this host."""
        who = f"{self.user}@{host}" if self.user and "@" not in host else host
        return command_words(kind_of(self.words), self.words, who, command)


def answer() -> None:
    """What an installed catcher does first."""
    os.write(1, b"\n" + MARKER + b"\n")
