"""The words that start a catcher on a target: the remote shell's on this host, and the command it is given."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Sequence
from typing import NamedTuple

from mrsync.errors import UsageError
from mrsync.remote.aliases import ssh_host_name

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
    """How a catcher starts on a target: from a bundle, in this Python, or installed in this directory by this name."""

    python: str = "python3"
    directory: str | None = None
    name: str = "multicatcher"

    @property
    def is_pushed(self) -> bool:
        """Whether the program must be sent."""
        return self.directory is None

    @property
    def program(self) -> str:
        """What must be there."""
        return self.python if self.directory is None else f"{self.directory.rstrip('/')}/{self.name}"

    def on(self, host: str) -> str:
        """The command line for the login shell of a target that is named `host`; no secret is in it."""
        if self.directory is not None:
            return f"exec {self.program} --launched {host}"
        return f"exec {self.python} -c '{STARTER}' {host}"


class RemoteShell(NamedTuple):
    """The words in front of HOST and COMMAND."""

    words: tuple[str, ...]

    @classmethod
    def parse(cls, text: str, connect_timeout_s: float) -> RemoteShell:
        """From -r: a name, a path, a command with options. Raises UsageError."""
        try:
            words = shlex.split(text)
        except ValueError as error:
            raise UsageError(f"the remote shell {text!r} cannot be understood: {error}") from error
        if not words:
            raise UsageError("the remote shell is empty (-r)")
        words[0] = os.path.expanduser(words[0])
        if shutil.which(words[0]) is None:
            raise UsageError(f"there is no remote shell {words[0]} on this host (-r)")
        if os.path.basename(words[0]) == "ssh":
            words += [*SSH_OPTIONS, f"-oConnectTimeout={max(1, round(connect_timeout_s))}"]
        return cls(tuple(words))

    @property
    def name(self) -> str:
        """As people call it."""
        return os.path.basename(self.words[0])

    def real_name(self, target: str) -> str | None:
        """What else a target's host is called, as far as this remote shell can say."""
        return ssh_host_name(self.words, target) if self.name == "ssh" else None

    def towards(self, host: str, command: str) -> Sequence[str]:
        """The whole command on this host."""
        return [*self.words, host, command]


def answer() -> None:
    """What an installed catcher does first."""
    os.write(1, b"\n" + MARKER + b"\n")
