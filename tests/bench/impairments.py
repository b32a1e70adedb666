"""What this kernel cannot do to packets and disks, done by two small C programs, if there is a compiler."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.netns.lab import Host, Lab, batch, run

SOURCES = Path(__file__).parent
COMPILER = "gcc"


def missing_compiler() -> str:
    """Why these cannot be built here; empty if they can."""
    return "" if shutil.which(COMPILER) else f"{COMPILER} is not installed"


def long_path(
    lab: Lab,
    host: Host,
    folder: Path,
    *,
    delay_ms: float = 0.0,
    late: tuple[float, float] = (0.0, 0.0),
    doubled: float = 0.0,
    lost: tuple[float, float] = (0.0, 1.0),
) -> None:
    """Put a path between the switch and a host, before anything runs there.

    delay_ms: one way. late: share of packets to the host, and by how many ms. lost: share, and mean length of runs.
    """
    program = folder / "wan"
    if not program.exists():
        subprocess.run([COMPILER, "-O2", "-o", program, SOURCES / "wan.c"], check=True)
    path = f"{lab.name}-wan-{host.name}"
    batch([f"netns add {path}"])
    batch([f"link set eth0 down netns {path}"], namespace=host.namespace)
    wiring = ["link set eth0 name in", "link add out type veth peer name eth0 netns " + host.namespace]
    batch([*wiring, "link set in up", "link set out up"], namespace=path)
    address = [f"addr add {host.address}/16 dev eth0", "link set eth0 up", "route add 224.0.0.0/4 dev eth0"]
    batch(address, namespace=host.namespace)
    run("ip", "netns", "exec", path, "ethtool", "-K", "out", "tso", "off")
    run(*host.command("ethtool", "-K", "eth0", "gro", "on"))
    numbers = (delay_ms, *late, doubled, *lost)
    host_of_path = Host(lab, f"wan-{host.name}", "")
    host_of_path.start(program, "in", "out", *map(str, numbers)).wait_for("ready")


def slow_disk(folder: Path, bytes_s: int) -> list[str]:
    """Return what to put before a command so that its writes take the time of such a disk."""
    library = folder / "slow_disk.so"
    if not library.exists():
        subprocess.run([COMPILER, "-O2", "-shared", "-fPIC", "-o", library, SOURCES / "slow_disk.c"], check=True)
    return ["env", f"LD_PRELOAD={library}", f"SLOW_DISK_BYTES_S={bytes_s}"]
