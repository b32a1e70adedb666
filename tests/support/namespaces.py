"""Give each process that runs tests a network namespace and a mount namespace, so that workers never collide.

There every port and every multicast group is free, `ip netns` lists only the labs of this worker, and the
mounts of a killed test vanish with the worker.
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
"""
# Linux takes no IPv6 multicast on the loopback interface, so there is another one. It has an IPv4 address too: a host
# with nothing but IPv6 would choose that family.
OTHER = """\
link add eth0 type veth peer name eth1
link set eth0 addrgenmode none up
link set eth1 addrgenmode none up
addr add 172.31.255.1/30 dev eth0
addr add fe80::1/64 dev eth0 nodad
"""
NAMES = "/run/netns"
RECORDS = "/var/lib/mrsync"  # of what was synced, for `mrsync verify`
_outside: list[int] = []  # a descriptor of the namespace that this process left


def enter() -> str | None:
    """Move this thread, and what it starts from now on, into new namespaces. Return None, or the reason why not.

    Without them, all workers share one loopback. That is safe enough: tests draw their groups and ports at random.
    """
    if os.geteuid() != 0:
        return "namespaces need root"
    if shutil.which("ip") is None:
        return "ip is not installed"
    _outside.append(os.open("/proc/self/ns/net", os.O_RDONLY))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET | CLONE_NEWNS):
        return f"cannot make namespaces: {os.strerror(ctypes.get_errno())}"
    os.makedirs(NAMES, exist_ok=True)
    _run("mount", "--make-rprivate", "/")
    _run("mount", "-t", "tmpfs", "tmpfs", NAMES)
    os.makedirs(RECORDS, mode=0o700, exist_ok=True)
    _run("mount", "-t", "tmpfs", "-o", "mode=0700", "tmpfs", RECORDS)
    _run("ip", "-batch", "-", stdin=LOOPBACK)
    _run("ip", "-batch", "-", stdin=OTHER, check=False)  # where there is no IPv6, its tests are skipped
    return None


def command_outside(*command: str) -> list[str]:
    """Return this command as one that runs in the network namespace this process came from."""
    return ["nsenter", f"--net=/proc/{os.getpid()}/fd/{_outside[0]}", *command] if _outside else [*command]


def _run(*command: str, stdin: str = "", check: bool = True) -> None:
    subprocess.run(command, input=stdin, check=check, capture_output=True, text=True)
