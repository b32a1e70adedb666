"""Build the command lines that start a catcher: the remote shell on this host, and the command on the target."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Mapping, Sequence

from mrsync.errors import UsageError
from mrsync.remote.shell_kinds import (
    ShellKind,
    check_ports,
    check_words,
    command_words,
    kind_of,
    real_name,
    user_words,
)
from mrsync.tuples import NamedTuple

# Begins a line of its own; anything before it comes from a login shell and is ignored. The rest of the line says which
# bytecode the target's Python reads: b"\xa7\r\r\n" as Python writes it. An installed catcher leaves it empty.
MARKER = b"mrsync catcher"

# In single quotes this means the same to sh, bash, csh and fish: it has no quote, backslash, exclamation mark or
# newline. It removes the current directory from sys.path, so that nothing is imported from where the login shell
# starts, and -E keeps the directories of PYTHONPATH out, which would come before those of Python itself; `cryptography`
# may be there, so they are put behind. The option -I would also do that, but it hides the user's site-packages, and
# Python 2.7 does not know it. (Python 2.7 must get as far as the loader, which says that it is too old.)
# A terminal would echo the secret, so it ends before it asks for that.
# It reads unbuffered and exactly one line, because the bytes after that belong to the loader.
STARTER = (
    "import sys;sys.path[:]=filter(None,sys.path);import io,os;"
    'sys.path+=filter(os.path.isabs,os.environ.get("PYTHONPATH","").split(":"));'
    'os.isatty(0)and sys.exit("multicatcher: the remote shell opens a terminal, which would change the program on its'
    ' way; leave out its -t");'
    'kept=getattr(sys.modules.get("_frozen_importlib_external"),"MAGIC_NUMBER",None);'
    'os.write(1,os.linesep.join(["","mrsync catcher "+repr(kept),""]).encode());'
    'exec(io.open(0,"rb",0,closefd=False).readline()'
    'or sys.exit("multicatcher: the remote shell passes no input on; leave out its -n (StdinNull in ssh_config)"))'
)

# Appended to the user's own options: ssh uses the first value that it gets for an option. Forwardings of ssh_config are
# for one session at a time, and could end ours (ExitOnForwardFailure).
SSH_OPTIONS = (
    "-T",
    "-x",
    "-a",
    "-oBatchMode=yes",
    "-oClearAllForwardings=yes",
    "-oServerAliveInterval=15",
    "-oServerAliveCountMax=4",
)


class CatcherCommand(NamedTuple):
    """How to start a catcher on a target: from a bundle in this Python, or as an installed program.

    python: the interpreter, as words that need no quoting in any login shell, separated by blanks.
    directory, name: where the installed program is; None to send the bundle. is_sudo: start it as root, with sudo;
    sudo_only: on these hosts only, or None for all.
    """

    python: str = "python3"
    directory: str | None = None
    name: str = "multicatcher"
    is_sudo: bool = False
    sudo_only: frozenset[str] | None = None

    @property
    def is_pushed(self) -> bool:
        """Whether the bundle must be sent to the target."""
        return self.directory is None

    @property
    def program(self) -> str:
        """The program that must exist on the target."""
        return self.python.split()[-1] if self.directory is None else f"{self.directory.rstrip('/')}/{self.name}"

    def on(self, host: str) -> str:
        """Return the command line for the login shell of target `host`. It contains no secret."""
        uses_sudo = self.is_sudo and (self.sudo_only is None or host in self.sudo_only)
        start = "exec sudo -n " if uses_sudo else "exec "  # -n: fail instead of asking for a password
        if self.directory is not None:
            return f"{start}{self.program} --launched {host}"
        return f"{start}{self.python} -E -c '{STARTER}' {host}"


class RemoteShell(NamedTuple):
    """The words before HOST and COMMAND. user: the remote user, if it must be part of HOST (USER@HOST); else empty.

    ports: of hosts that do not have the default one, by the names of the hosts.
    """

    words: tuple[str, ...]
    user: str = ""
    ports: Mapping[str, int] = {}

    @classmethod
    def parse(
        cls, text: str, connect_timeout_s: float, user: str = "", ports: Mapping[str, int] | None = None
    ) -> RemoteShell:
        """Parse the value of -r: a name, a path, or a command with options. Raise UsageError if it is not usable.

        connect_timeout_s: for ssh. user: whom to start programs as; "": the default. ports: see RemoteShell.
        """
        try:
            words = shlex.split(text)
        except ValueError as error:
            raise UsageError(f"the remote shell {text!r} cannot be understood: {error}") from error
        if not words:
            raise UsageError("the remote shell is empty (-r)")
        words[0] = os.path.expanduser(words[0])
        if shutil.which(words[0]) is None:
            if os.path.exists(words[0]) and "/" in words[0]:
                raise UsageError(f"the remote shell {words[0]} cannot be run (-r): it is not an executable file")
            raise UsageError(f"there is no remote shell {words[0]} on this host (-r): install it, or name another one")
        kind = kind_of(words)
        check_words(kind, words)
        check_ports(kind, ports or {})
        if user:
            words += user_words(kind, words, user)
        if os.path.basename(words[0]) == "ssh":
            words += [*SSH_OPTIONS, f"-oConnectTimeout={max(1, round(connect_timeout_s))}"]
        return cls(tuple(words), user if kind is ShellKind.OTHER else "", ports or {})

    @property
    def name(self) -> str:
        """The name of the program, for messages."""
        return os.path.basename(self.words[0])

    def real_name(self, target: str) -> str | None:
        """Return the host name or address that the remote shell uses for `target`, or None if it is unknown."""
        return real_name(kind_of(self.words), self.words, target)

    def towards(self, host: str, command: str) -> Sequence[str]:
        """Return the argument list that runs `command` on `host`."""
        who = f"{self.user}@{host}" if self.user and "@" not in host else host
        return command_words(kind_of(self.words), self.words_for(host), who, command)

    def words_for(self, host: str) -> Sequence[str]:
        """Return the words before this host."""
        is_ssh = kind_of(self.words) is ShellKind.SSH
        return (*self.words, "-p", str(self.ports[host])) if is_ssh and host in self.ports else self.words


def answer() -> None:
    """Write the marker to stdout. An installed catcher does this first."""
    os.write(1, b"\n" + MARKER + b"\n")
