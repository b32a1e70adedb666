"""What ssh calls a host: `Host n1` with `HostName 10.0.0.7` in ssh_config is an address that no resolver knows."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

ASK_WAIT_S = 5.0  # `Match exec` may run anything


def ssh_host_name(words: Sequence[str], target: str) -> str | None:
    """The name or address that ssh with its options (words) would connect to for a target; None: it cannot say."""
    try:
        asked = subprocess.run(
            [*words, "-G", target],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=ASK_WAIT_S,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    for line in asked.stdout.splitlines():
        key, _, value = line.decode(errors="replace").partition(" ")
        if key == "hostname" and value:
            return value.strip()
    return None
