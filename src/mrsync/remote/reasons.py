"""Explain in one sentence why a catcher did not start or ended early, from the output of its remote shell.

Sentences do not contain the host name, so that equal reasons of many hosts can be shown as one line.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Sequence

CONNECT_ONCE = "connect to it once by ssh, so that its key is known (or ssh-keyscan)"

# (pattern, sentence, remedy) for messages of remote shells and login shells. The first match in this order counts, so
# the most specific come first. \1 in a sentence is the first group of the pattern.
SAID: tuple[tuple[str, str, str], ...] = (
    (
        r"REMOTE HOST IDENTIFICATION HAS CHANGED",
        "its host key has changed: Host key verification failed",
        "if it was reinstalled, remove the old key (ssh-keygen -R) and connect once",
    ),
    (
        r"No .*host key is known for",
        "its host key is not known on this host: Host key verification failed",
        CONNECT_ONCE,
    ),
    (r"Host key verification failed", "Host key verification failed", CONNECT_ONCE),
    (
        r"Could not resolve hostname .*: (.*)",
        r"its name cannot be resolved: \1",
        "put it into DNS, /etc/hosts, or ssh_config (HostName); if it is a file with targets, give the right path",
    ),
    (
        r"(Permission denied \(.*\))",
        r"\1",
        "ssh must log in without a password: load your key (ssh-add) and install it there (ssh-copy-id)",
    ),
    (r"(Connection timed out during banner exchange|Too many authentication failures)", r"\1", ""),
    (
        r"connect to host fe80:[^%]* port \d+: Invalid argument",
        "its link-local address lacks the interface",
        "write it behind the address, as in fe80::1%eth0",
    ),
    (r"(Connection refused)", r"\1", "does sshd run there, on this port?"),
    (r"((?:Connection|Operation) timed out)", r"\1", "is it up, and does a firewall let ssh in?"),
    (
        r"(Connection (?:reset|closed))",
        r"\1",
        "see the log of sshd there: does it start, does it let this host in, and so many at once (MaxStartups)?",
    ),
    (r"(No route to host|Network is unreachable|Host is down)", r"\1", "is it up, and is its address right?"),
    (r"Timeout, server .* not responding", "the connection was lost: it no longer answers", ""),
    (
        r"Cannot execute command-line and remote command",
        "ssh_config has a RemoteCommand for it",
        "give -r 'ssh -o RemoteCommand=none'",
    ),
    (
        r"sudo: sorry, you must have a tty",
        "sudo wants a terminal there, which would change the program on its way",
        "remove requiretty from sudoers there, or sync as root (--remote-user)",
    ),
    (
        r"sudo: (?:a password is required|a terminal is required)",
        "sudo asks for a password there",
        "allow this user Python without one (NOPASSWD in sudoers), name the targets that need sudo (--sudo=TARGETS), or"
        " sync as root (--remote-user)",
    ),
    (
        r"sudo: .*|.* is not (?:in the sudoers file|allowed to (?:execute|run sudo))",
        "sudo does not let this user run the program there",
        "allow it in sudoers (NOPASSWD), or sync as root (--remote-user)",
    ),
    (
        r"subsystem request failed",
        "ssh asks for a subsystem there",
        "give no -s to ssh, and -r 'ssh -o SessionType=default' if ssh_config has another SessionType",
    ),
    (r"No such container", "there is no such container", ""),
    (r"pods? \S+ not found", "there is no such pod", "name its namespace, as in -r 'kubectl exec -i -n NAMESPACE'"),
    (r"Fatal Python error: .*(PYTHON[A-Z]+ .*)", r"Python cannot start there: \1", "unset this variable there"),
    (
        r"Fatal Python error: (.*)",
        r"Python cannot start there: \1",
        "is PYTHONHOME set wrongly? --remote-python names another one",
    ),
    (
        r"(?:^|: |\bis )restricted\b|sftp connections only",
        "the account there is restricted to some programs",
        "sync as another user (--remote-user)",
    ),
    (
        r"[Tt]his account is (?:currently )?not available",
        "the account there has no login shell",
        "sync as another user (--remote-user)",
    ),
    (r"^MemoryError", "there is not enough memory", "is it limited there (ulimit -v, or a container)?"),
    (r"(No space left on device|Cannot allocate memory|Too many open files)", r"\1", ""),
)
# The same, for connections by way of a jump host, or to another name that ssh_config gives.
_ON_THE_WAY: tuple[tuple[str, str, str], ...] = (
    (
        r"open failed: connect failed: (.*)",
        r"its jump host cannot connect to it: \1",
        "HostName in ssh_config is looked up there, and a firewall there or here must let it pass",
    ),
    (
        r"Could not resolve hostname (\S+): (.*)",
        r"ssh_config leads to \1 (HostName or ProxyJump), which cannot be resolved: \2",
        "correct it there, or put it into DNS or /etc/hosts",
    ),
)
_PROXIED = re.compile(r"UNKNOWN port 65535")  # so ssh calls the other end of a ProxyJump or ProxyCommand
SSH_FAILED = 255  # the status of ssh for an error of its own
SEARCHED_MAX = 1000  # characters of a line: the time that patterns take grows with the square of this
MISSING = r"not found|Unknown command|No such file or directory|unknown command"
_REPLACED = "does ForceCommand in sshd_config, command= of the key, or a login script there run something else?"
IN_BACKGROUND = "does ssh go into the background (-f, or ForkAfterAuthentication in ssh_config)?"
OWN_WORDS = re.compile(r"(?:multicatcher|rttcatcher|probe|verifier): ")


def describe(lines: Sequence[str], status: int, *, program: str, shell: str, host: str = "") -> str:
    """Return the reason for an exit status: what happened, and after a semicolon a remedy if one is known.

    lines: the last lines of output. program: the program to be run on the target. shell: the name of the remote shell.
    host: the target, perhaps with a user; empty if another program called the shell.
    """
    if own := own_words(lines):
        return own
    beginnings = [line[:SEARCHED_MAX] for line in lines]
    for line in beginnings:
        if re.search(rf"{re.escape(program)}\b.*(?:{MISSING})|(?:{MISSING}).*{re.escape(program)}\b", line):
            return f"there is no {program}; {_remedy_without(program)}"
    if any(re.search(rf"\bsudo\b.*(?:{MISSING})|(?:{MISSING}).*\bsudo\b", line) for line in beginnings):
        return "there is no sudo; install it there, or sync as root (--remote-user)"
    asked = re.compile(rf"Could not resolve hostname {re.escape(host.rpartition('@')[2])}:", re.IGNORECASE)
    others = [line for line in beginnings if not asked.search(line)] if host else []
    if known := _known(_ON_THE_WAY, others):
        return known
    if known := _known(SAID, beginnings):
        is_proxied = any(map(_PROXIED.search, beginnings))
        return f"on the way through its jump host: {known}" if is_proxied else known
    said = next((line.strip() for line in reversed(lines) if re.search(r"\w", line)), "")  # not the frame of a banner
    return _by_status(said, status, shell)


def _known(table: Sequence[tuple[str, str, str]], lines: Sequence[str]) -> str:
    """Return what a table says about these lines: the sentence and the remedy. Empty: nothing."""
    for pattern, sentence, remedy in table:
        for line in lines:
            if match := re.search(pattern, line):
                return match.expand(sentence) + (f"; {remedy}" if remedy else "")
    return ""


def own_words(lines: Sequence[str]) -> str:
    """Return the last sentence that a program of mrsync wrote, or ""."""
    return next((line[own.end() :] for line in reversed(lines) if (own := OWN_WORDS.match(line))), "")


def without_program(line: str) -> str:
    """Return a line without the name of the program of mrsync that wrote it."""
    own = OWN_WORDS.match(line)
    return line[own.end() :] if own else line


def killed_by(number: int) -> str:
    """Say which signal killed a process. Most of the real-time signals have no name."""
    try:
        return f"killed by {signal.Signals(number).name}"
    except ValueError:
        return f"killed by signal {number}"


def _remedy_without(program: str) -> str:
    if "python" in program:
        return "install Python 3.9 or later there, or name one with --remote-python"
    return "install it there" + (", or have it sent (without --remote-dir)" if "catcher" in program else "")


def _by_status(said: str, status: int, shell: str) -> str:
    if status < 0:
        ended = f"{shell} was {killed_by(-status)}"
    elif status == 0:
        ended = f"{shell} ended before the catcher started"
    else:
        ended = f"{shell} ended with status {status}"
    is_replaced = status == 0 or (0 < status < SSH_FAILED and not said)
    remedy = f"; {_REPLACED}" if shell == "ssh" and is_replaced else ""
    if remedy and status == 0 and not said:
        remedy = f"; {IN_BACKGROUND} Or {_REPLACED}"
    return f"{ended}: {said}{remedy}" if said else f"{ended}{remedy}"
