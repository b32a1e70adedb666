"""Why a catcher did not start or did not last, in one sentence, from what its remote shell left behind.

Sentences must not name the host, so that equal reasons of many hosts can be folded into one line.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Sequence

# What remote shells and login shells say, the most telling first; \1 is taken from the text.
SAID: tuple[tuple[str, str], ...] = (
    (
        r"REMOTE HOST IDENTIFICATION HAS CHANGED",
        "its host key is not the one that is known: Host key verification failed",
    ),
    (r"No .*host key is known for", "its host key is not known on this host: Host key verification failed"),
    (r"Host key verification failed", "Host key verification failed"),
    (r"Could not resolve hostname .*: (.*)", r"its name cannot be resolved: \1"),
    (r"(Permission denied \(.*\))", r"\1"),
    (r"(Connection timed out during banner exchange|Too many authentication failures)", r"\1"),
    (r"(Connection (?:refused|timed out|reset|closed))", r"\1"),
    (r"(Operation timed out|No route to host|Network is unreachable|Host is down)", r"\1"),
    (r"Timeout, server .* not responding", "the connection was lost: it does not answer any more"),
    (r"(No space left on device|Cannot allocate memory|Too many open files)", r"\1"),
)
MISSING = r"not found|Unknown command|No such file or directory|unknown command"
OWN_WORDS = re.compile(r"(?:multicatcher|rttcatcher|probe): ")


def describe(lines: Sequence[str], status: int, *, program: str, shell: str) -> str:
    """The reason behind an exit status.

    lines: the last that were written; program: what was to run on the target; shell: what was to bring us there.
    """
    for line in reversed(lines):
        if own := OWN_WORDS.match(line):
            return line[own.end() :]
    for line in lines:
        if re.search(rf"{re.escape(program)}\b.*(?:{MISSING})|(?:{MISSING}).*{re.escape(program)}\b", line):
            return f"there is no {program}"
    for pattern, sentence in SAID:
        for line in lines:
            if match := re.search(pattern, line):
                return match.expand(sentence)
    return _by_status(lines[-1].strip() if lines else "", status, shell)


def _by_status(said: str, status: int, shell: str) -> str:
    if status < 0:
        ended = f"{shell} was killed by {signal.Signals(-status).name}"
    elif status == 0:
        ended = f"{shell} ended before a catcher was there"
    else:
        ended = f"{shell} ended with status {status}"
    return f"{ended}: {said}" if said else ended
