"""What starts a command elsewhere: shells that take a line for a login shell, and programs that take words."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from enum import Enum

from mrsync.errors import UsageError

ASK_WAIT_S = 5.0  # `Match exec` of ssh_config may run anything
_ADDRESSES = "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}"


class ShellKind(Enum):
    """How HOST and COMMAND are said."""

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
    """By the name of the program."""
    return _KINDS.get(os.path.basename(words[0]), ShellKind.OTHER)


def check_words(kind: ShellKind, words: Sequence[str]) -> None:
    """Raises UsageError for words that cannot carry a catcher."""
    if kind not in (ShellKind.CONTAINERS, ShellKind.KUBERNETES):
        return
    name = os.path.basename(words[0])
    if "exec" not in words:
        raise UsageError(f"-r '{' '.join(words)}': say -r '{name} exec -i'")
    letters = "".join(word[1:] for word in words if word.startswith("-") and not word.startswith("--"))
    if not ("i" in letters or {"--interactive", "--stdin"} & set(words)):
        raise UsageError(f"-r '{' '.join(words)}': say -r '{name} exec -i', as the program comes over stdin")
    if {"-t", "-it", "-ti", "--tty"} & set(words):
        raise UsageError(f"-r '{' '.join(words)}': leave out -t, as a terminal would change what comes over stdin")


def user_words(kind: ShellKind, words: Sequence[str], user: str) -> list[str]:
    """What makes it start the command as this user; raises UsageError where that cannot be."""
    if kind in (ShellKind.SSH, ShellKind.RSH):
        return ["-l", user]
    if kind is ShellKind.CONTAINERS:
        return ["--user", user]
    if kind is ShellKind.OTHER:
        return []  # it is told USER@HOST
    raise UsageError(f"{os.path.basename(words[0])} starts nothing as another user (--remote-user)")


def command_words(kind: ShellKind, words: Sequence[str], host: str, command: str) -> list[str]:
    """The whole command on this host."""
    if kind is ShellKind.CONTAINERS:
        return [*words, host, "sh", "-c", command]
    if kind is ShellKind.KUBERNETES:
        return [*words, host, "--", "sh", "-c", command]
    if kind is ShellKind.SLURM:
        return [*words, "--nodes=1", "--ntasks=1", f"--nodelist={host}", "sh", "-c", command]
    return [*words, host, command]


def real_name(kind: ShellKind, words: Sequence[str], target: str) -> str | None:
    """The name or address by which others know a target; None: nobody here can say."""
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
    """Which container of the pod matters to `exec` alone."""
    kept: list[str] = []
    waiting = iter(words)
    for word in waiting:
        if word in ("-c", "--container"):
            next(waiting, None)
        elif not word.startswith("--container="):
            kept.append(word)
    return kept


def _asked(command: Sequence[str]) -> list[str]:
    """Lines of its stdout; none if it fails."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=ASK_WAIT_S, text=True,
            errors="replace",
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [line.strip() for line in done.stdout.splitlines()] if done.returncode == 0 else []
