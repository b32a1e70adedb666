"""The lab itself: what it claims to do to packets, measured with plain sockets."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.netns.conftest import MakeLab
from tests.netns.lab import Host, Lab, sweep

pytestmark = pytest.mark.netns

COUNT = 2000
CATCH = """
import socket, struct, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
s.bind(("239.1.2.3", 7000))
s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton("239.1.2.3") + struct.pack("@I", 0))
print("joined", flush=True)
s.settimeout(10)
count = 0
while s.recv(2000) != b"end":
    count += 1
print("caught", count)
"""
CAST = """
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for i in range(int(sys.argv[1])):
    s.sendto(b"x" * int(sys.argv[2]), ("239.1.2.3", 7000))
    if i % 50 == 49:
        time.sleep(0.001)
"""
END = """
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.sendto(b"end", ("239.1.2.3", 7000))
"""


def python(program: str, *arguments: object) -> list[str]:
    return [sys.executable, "-c", program, *map(str, arguments)]


def caught(lab: Lab, *, lossless: list[Host] | None = None) -> list[int]:
    """Cast COUNT packets; how many each target caught. The end is cast without loss."""
    catchers = [host.start(*python(CATCH)) for host in lab.targets]
    for catcher in catchers:
        catcher.wait_for("^joined$")
    assert lab.master.run(*python(CAST, COUNT, 100)).returncode == 0
    for host in lossless or []:
        host.lose(0)
    assert lab.master.run(*python(END)).returncode == 0
    return [int(catcher.wait_for(r"^caught (\d+)$")[1]) for catcher in catchers]


def test_a_cast_reaches_every_target_once(make_lab: MakeLab) -> None:
    lab = make_lab(3)
    before = lab.master.wire_bytes()[0]
    assert caught(lab) == [COUNT] * 3
    sent = lab.master.wire_bytes()[0] - before
    assert COUNT * 142 <= sent < COUNT * 142 * 1.1


def test_loss_is_independent_at_every_target(make_lab: MakeLab) -> None:
    lab = make_lab(3)
    lab.targets[0].lose(0.3)
    lab.targets[1].lose(1.0)
    some, none, all_of_them = caught(lab, lossless=lab.targets[:2])
    assert some == pytest.approx(COUNT * 0.7, rel=0.1)
    assert (none, all_of_them) == (0, COUNT)


def test_loss_at_the_uplink_is_common(make_lab: MakeLab) -> None:
    lab = make_lab(3)
    lab.master.lose(up=0.3)
    first, *others = caught(lab, lossless=[lab.master])
    assert first == pytest.approx(COUNT * 0.7, rel=0.1)
    assert others == [first, first]


def test_a_host_can_be_unplugged(make_lab: MakeLab) -> None:
    lab = make_lab(1)
    ping = ("ping", "-c", "1", "-W", "1", lab.targets[0].address)
    if lab.master.run("sh", "-c", "command -v ping").returncode:
        pytest.skip("ping is not installed")
    assert lab.master.run(*ping).returncode == 0
    lab.targets[0].unplug()
    assert lab.master.run(*ping).returncode == 1
    lab.targets[0].plug()
    assert lab.master.run(*ping).returncode == 0


def test_the_uplink_has_its_rate(make_lab: MakeLab) -> None:
    lab = make_lab(1, rate="20mbit")
    catcher = lab.targets[0].start(*python(CATCH))
    catcher.wait_for("joined")
    started = time.monotonic()
    lab.master.run(*python(CAST.replace("1):", "1):\n    time.sleep(0.0005)"), COUNT, 1400))
    lab.master.run(*python(END))
    count = int(catcher.wait_for(r"^caught (\d+)$")[1])
    assert count * 1442 * 8 / (time.monotonic() - started) < 22e6


def test_two_labs_stand_side_by_side_and_leave_nothing(make_lab: MakeLab) -> None:
    with Lab(1) as lab, Lab(1) as other:
        assert lab.master.run("true").returncode == other.master.run("true").returncode == 0
        sleeper = lab.master.start("sleep", "100")
        sweep()  # of another test run's remains; ours stay
        assert lab.name in namespaces()
        assert other.name in namespaces()
    assert not Path(f"/proc/{sleeper.pid}").exists()
    assert lab.name not in namespaces()
    assert other.name not in namespaces()


def test_a_missing_line_is_reported_with_the_output(make_lab: MakeLab) -> None:
    lab = make_lab(1)
    with pytest.raises(AssertionError, match="never said 'ready', but:\nhello"):
        lab.master.start("echo", "hello").wait_for("ready", timeout_s=5)
    with pytest.raises(AssertionError, match="did not end"):
        lab.master.start("sleep", "100").wait(timeout_s=0.05)


def namespaces() -> str:
    return subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
