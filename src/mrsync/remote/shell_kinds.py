"""Know how different programs start a command elsewhere: remote shells (ssh, rsh), containers, pods, and srun.

A remote shell takes one string for the login shell. The others take an argument list, so the string goes to `sh -c`.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum

from mrsync.errors import UsageError

SSH_PORT = 22
ASK_WAIT_S = 5.0  # `Match exec` in ssh_config may run any program
_SSH_VALUES = "BbcDEeFIiJLlmOoPpQRSWw"  # options that take one
_NOT_FOR_SSH = {
    "f": "as ssh must stay and pass the program on over stdin",
    "n": "as the program comes over stdin",
    "N": "as ssh would start nothing then",
    "s": "as ssh would start a subsystem then",
    **dict.fromkeys("GOQVW", "as ssh would not log in for a command then"),
}
_ADDRESSES = "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}"


class ShellKind(Enum):
    """How to pass HOST and COMMAND to the program."""

    SSH = "ssh"
    RSH = "rsh"
    CONTAINERS = "docker, podman, nerdctl"
    KUBERNETES = "kubectl, oc"
    SLURM = "srun"
    OTHER = "anything else, taken for a remote shell"


_KINDS = {
    "ssh": ShellKind.SSH,
    "rsh": ShellKind.RSH,
    "docker": ShellKind.CONTAINERS,
    "podman": ShellKind.CONTAINERS,
    "nerdctl": ShellKind.CONTAINERS,
    "kubectl": ShellKind.KUBERNETES,
    "oc": ShellKind.KUBERNETES,
    "srun": ShellKind.SLURM,
}


def kind_of(words: Sequence[str]) -> ShellKind:
    """Return the kind of remote shell, by the name of the program."""
    return _KINDS.get(os.path.basename(words[0]), ShellKind.OTHER)


def check_words(kind: ShellKind, words: Sequence[str]) -> None:
    """Raise UsageError if the program would not run a command with our input as its own.

    A container command lacks `exec -i` or has a terminal, or ssh has an option for something else.
    """
    if kind is ShellKind.SSH:
        for letter in _ssh_letters(words[1:]):
            if letter in _NOT_FOR_SSH:
                raise UsageError(f"-r '{' '.join(words)}': leave out -{letter}, {_NOT_FOR_SSH[letter]}")
    if kind not in (ShellKind.CONTAINERS, ShellKind.KUBERNETES):
        return
    name = os.path.basename(words[0])
    if "exec" not in words:
        raise UsageError(f"-r '{' '.join(words)}': use -r '{name} exec -i'")
    letters = "".join(word[1:] for word in words if word.startswith("-") and not word.startswith("--"))
    if not ("i" in letters or {"--interactive", "--stdin"} & set(words)):
        raise UsageError(f"-r '{' '.join(words)}': use -r '{name} exec -i', as the program comes over stdin")
    if {"-t", "-it", "-ti", "--tty"} & set(words):
        raise UsageError(f"-r '{' '.join(words)}': leave out -t, because a terminal would change the data on stdin")


def _ssh_letters(words: Sequence[str]) -> Iterator[str]:
    """Yield the letters of ssh's options."""
    waiting = iter(words)
    for word in waiting:
        for place, letter in enumerate(word[1:] if word.startswith("-") else "", 1):
            yield letter
            if letter in _SSH_VALUES:
                if place == len(word) - 1:
                    next(waiting, None)
                break


def check_ports(kind: ShellKind, ports: Mapping[str, int]) -> None:
    """Raise UsageError if a host has a port of its own and the program is not known to take one. ports: by host."""
    for host, port in ports.items() if kind is not ShellKind.SSH else ():
        if port != SSH_PORT:
            raise UsageError(f"{host} has port {port} (ansible_port), which only ssh can be told: use -r ssh")


def user_words(kind: ShellKind, words: Sequence[str], user: str) -> list[str]:
    """Return the options that start the command as `user`. Raise UsageError if the program has none."""
    if kind in (ShellKind.SSH, ShellKind.RSH):
        return ["-l", user]
    if kind is ShellKind.CONTAINERS:
        return ["--user", user]
    if kind is ShellKind.OTHER:
        return []  # HOST becomes USER@HOST
    raise UsageError(f"{os.path.basename(words[0])} cannot start programs as another user (--remote-user)")


def command_words(kind: ShellKind, words: Sequence[str], host: str, command: str) -> list[str]:
    """Return the argument list that runs `command` on `host`."""
    if kind is ShellKind.CONTAINERS:
        return [*words, host, "sh", "-c", command]
    if kind is ShellKind.KUBERNETES:
        return [*words, host, "--", "sh", "-c", command]
    if kind is ShellKind.SLURM:
        return [*words, "--nodes=1", "--ntasks=1", f"--nodelist={host}", "sh", "-c", command]
    return [*words, host, command]


def real_name(kind: ShellKind, words: Sequence[str], target: str) -> str | None:
    """Return the name or address by which other programs reach a target, or None if it is not known."""
    if kind is ShellKind.SSH:
        for line in _asked([*words, "-G", target]):
            key, _, value = line.partition(" ")
            if key == "hostname" and value:
                return value
    elif kind is ShellKind.CONTAINERS:
        before = words[: words.index("exec")]
        return " ".join(_asked([*before, "inspect", "--format", _ADDRESSES, target])).partition(" ")[0] or None
    elif kind is ShellKind.KUBERNETES:
        others = [word for word in _without_container(words) if word not in ("exec", "-i", "--stdin")]
        return "".join(_asked([*others, "get", "pod", target, "-o", "jsonpath={.status.podIP}"])) or None
    return None


def _without_container(words: Sequence[str]) -> list[str]:
    """Return the words without the choice of a container: it matters to `exec`, but not to `get pod`."""
    kept: list[str] = []
    waiting = iter(words)
    for word in waiting:
        if word in ("-c", "--container"):
            next(waiting, None)
        elif not word.startswith("--container="):
            kept.append(word)
    return kept


def _asked(command: Sequence[str]) -> list[str]:
    """Run a command and return the lines of its stdout, or [] if it fails or takes longer than ASK_WAIT_S."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=ASK_WAIT_S, text=True,
            errors="replace",
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [line.strip() for line in done.stdout.splitlines()] if done.returncode == 0 else []
