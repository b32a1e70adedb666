"""Give each process that runs tests a room of its own, so that workers never collide.

A room is a network namespace and a mount namespace. In it every port and every multicast group is free, `ip netns`
lists only the labs of this worker, and the mounts of a killed test vanish with the worker.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess

CLONE_NEWNS = 0x0002_0000
CLONE_NEWNET = 0x4000_0000
LOOPBACK = """\
link set lo up multicast on
route add 224.0.0.0/4 dev lo
-6 route add multicast ff00::/8 dev lo table local
"""
NAMES = "/run/netns"


def enter() -> str | None:
    """Move this thread, and what it starts from now on, into a new room. Return None, or the reason why not.

    Without a room all workers share one loopback. That is safe enough: tests draw their groups and ports at random.
    """
    if os.geteuid() != 0:
        return "namespaces need root"
    if shutil.which("ip") is None:
        return "ip is not installed"
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET | CLONE_NEWNS):
        return f"cannot make namespaces: {os.strerror(ctypes.get_errno())}"
    os.makedirs(NAMES, exist_ok=True)
    _run("mount", "--make-rprivate", "/")
    _run("mount", "-t", "tmpfs", "tmpfs", NAMES)
    _run("ip", "-batch", "-", stdin=LOOPBACK)
    return None


def _run(*command: str, stdin: str = "") -> None:
    subprocess.run(command, input=stdin, check=True, text=True)
