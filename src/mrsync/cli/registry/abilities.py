"""Report the abilities of this host, for `mrsync --version`."""

from __future__ import annotations

import platform
import socket
from collections.abc import Iterator

from mrsync.run.sandbox import Sandbox
from mrsync.transport.network.multicast import UDP_SEGMENT
from mrsync.transport.network.socket_options import UDP_GRO
from mrsync.transport.pages.zstd import has_zstd
from mrsync.wire.seals.sealing import has_aes_gcm


def ability_lines() -> Iterator[str]:
    """Yield one line for Python, and one for each ability with yes or no."""
    yield f"Python {platform.python_version()}, Linux {platform.release()}, {platform.machine()}"
    landlock = Sandbox().landlock_version()
    for name, has_it in (
        ("GSO, many packets with one system call (UDP_SEGMENT)", _takes_option(UDP_SEGMENT)),
        ("GRO, many packets received at once (UDP_GRO)", _takes_option(UDP_GRO)),
        ("AES-256-GCM (Python package cryptography)", has_aes_gcm()),
        ("zstd for --compress (Python 3.14, or Python package zstandard)", has_zstd()),
        (f"Landlock, version {landlock}" if landlock else "Landlock", landlock > 0),
    ):
        yield f"  {'yes' if has_it else 'no':<4}{name}"


def _takes_option(option: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        try:
            asking.setsockopt(socket.IPPROTO_UDP, option, 1)
        except OSError:
            return False
    return True
