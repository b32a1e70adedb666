"""Faults for real: each breaks something in a running sync, and says what happened."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from unittest import mock

from tests.bench.impairments import COMPILER, long_path, missing_compiler
from tests.faults.scene import STATED_S, Broken, Scene
from tests.netns.lab import run
from tests.netns.test_networks import start_mrsync


class Fault(NamedTuple):
    """What breaks, what is promised then, and how to break it: a function that returns what happened."""

    what: str
    promise: str
    strike: Callable[[Scene], str]


DAY_S = 86400
RESUMED = "the next run sends only what had not arrived"
SECOND = "the first goes on; the second is refused in one sentence"
STOPPABLE = "Ctrl-C ends the run; files are old or new"
GOES_ON = "nobody is dropped, all trees are equal"
DROPPED = "the others get everything; the target is named, status 23 or 30"
REFUSED = "what t1 cannot take is changed nowhere (`--commit each`: everywhere else), the rest is in place; status 23"


def _master_killed(scene: Scene) -> str:
    caster = scene.start()
    scene.signal(scene.lab.master, signal.SIGKILL)
    caster.wait()
    _wait_for_the_end_of_catchers(scene)
    return "all catchers ended, every file is the old or the new one"


def _wait_for_the_end_of_catchers(scene: Scene, within_s: float = 60) -> None:
    deadline = time.monotonic() + within_s
    while any(scene.processes(host) for host in scene.hosts):
        if time.monotonic() > deadline:
            raise Broken("catchers outlive their master")
        time.sleep(0.1)


def _target_killed(scene: Scene) -> str:
    caster = scene.start()
    scene.signal(scene.hosts[0], signal.SIGKILL)
    return scene.ended(caster)


def _rebooted(scene: Scene) -> str:
    caster = scene.start()
    host = scene.hosts[0]
    host.unplug()
    scene.signal(host, signal.SIGKILL)
    host.plug()
    said = scene.ended(caster)
    before = scene.lab.master.wire_bytes()[0]
    if scene.sync():
        raise Broken("the target does not get the rest")
    sent = scene.lab.master.wire_bytes()[0] - before
    return f"{said}; the next run sent {sent / 1e6:.1f} of 6.3 MB"


def stopped(seconds: int, *, master: bool = False) -> Callable[[Scene], str]:
    def strike(scene: Scene) -> str:
        caster = scene.start()
        host = scene.lab.master if master else scene.hosts[0]
        scene.signal(host, signal.SIGSTOP)
        time.sleep(seconds)
        scene.signal(host, signal.SIGCONT)
        return scene.ended(caster)

    return strike


def _disk(options: str) -> Callable[[Scene], str]:
    def strike(scene: Scene) -> str:
        with scene.small_disk(scene.hosts[0], options):
            caster = start_mrsync(
                scene.fleet, [host.address for host in scene.hosts], "--report", str(scene.fleet.report_path)
            )
            return scene.ended(caster)

    return strike


def _quota(scene: Scene) -> str:
    """The quota of a subvolume of Btrfs holds for root, too."""
    folder = scene.fleet.source.parent
    image, disk, dest = folder / "image", folder / "disk", str(scene.dest(scene.hosts[0]))
    image.touch()
    disk.mkdir()
    run("truncate", "-s", "300M", str(image))
    run("mkfs.btrfs", "-q", str(image))
    run("mount", "-o", "loop", str(image), str(disk))
    try:
        run("btrfs", "quota", "enable", str(disk))
        run("btrfs", "subvolume", "create", str(disk / "limited"))
        run("btrfs", "qgroup", "limit", "3M", str(disk / "limited"))
        run("mount", "--bind", str(disk / "limited"), dest)
        hosts = [host.address for host in scene.hosts]
        said = scene.ended(start_mrsync(scene.fleet, hosts, "--report", str(scene.fleet.report_path)))
        refused = {each["error"] for each in scene.fleet.report()["targets"][scene.hosts[0].address]["sat_out"]}
        return f"{said}; refused with {' '.join(sorted(refused))}"
    finally:
        run("umount", "-l", dest)
        run("umount", "-l", str(disk))


def _read_only(scene: Scene) -> str:
    """A file system with files open for writing cannot be remounted, so it is done before."""
    with scene.small_disk(scene.hosts[0], "size=64m,ro"):
        hosts = [host.address for host in scene.hosts]
        return scene.ended(start_mrsync(scene.fleet, hosts, "--report", str(scene.fleet.report_path)))


def _immutable(scene: Scene) -> str:
    if scene.sync():
        raise Broken("the first sync failed")
    scene.change()
    file = str(scene.dest(scene.hosts[0]) / "small-3")
    run("chattr", "+i", file)
    try:
        return scene.ended(scene.start())
    finally:
        run("chattr", "-i", file)


def _unreadable_source(scene: Scene) -> str:
    """A loop device whose backing file is cut gives EIO."""
    folder = scene.fleet.source.parent
    image, disk = folder / "image", folder / "disk"
    image.touch()
    run("truncate", "-s", "64M", str(image))
    run("mkfs.ext4", "-q", str(image))
    disk.mkdir()
    run("mount", "-o", "loop", str(image), str(disk))
    (disk / "rotten").write_bytes(b"x" * 30_000_000)
    run("umount", str(disk))
    run("mount", "-o", "loop", str(image), str(scene.fleet.source))
    try:
        run("truncate", "-s", "20M", str(image))
        hosts = [host.address for host in scene.hosts]
        return scene.ended(start_mrsync(scene.fleet, hosts, "--no-delete", "--report", str(scene.fleet.report_path)))
    finally:
        run("umount", "-l", str(scene.fleet.source))


def _small_buffers(scene: Scene) -> str:
    for host in scene.hosts:
        run(*host.command("sysctl", "-qw", "net.core.rmem_max=212992"))
    caster = scene.start("--remote-python", "setpriv --bounding-set -net_admin --inh-caps -net_admin python3")
    return scene.ended(caster)


def _partition(scene: Scene) -> str:
    caster = scene.start()
    scene.hosts[0].unplug()
    time.sleep(20)
    scene.hosts[0].plug()
    return scene.ended(caster)


def _lost(down: float, up: float, seconds: float) -> Callable[[Scene], str]:
    def strike(scene: Scene) -> str:
        caster = scene.start()
        scene.hosts[0].lose(down, up=up)
        time.sleep(seconds)
        scene.hosts[0].lose()
        return scene.ended(caster)

    return strike


def _corrupted(scene: Scene) -> str:
    """Four bytes of 3 % of all datagrams are others on the way, with checksums that seem right."""
    host = scene.hosts[0]
    bend = "meta l4proto udp numgen random mod 100 < 3 @th,320,32 set 0x6d72616d"
    chains = [
        f"chain {hook} {{ type filter hook {hook} device {host.port} priority 0; {bend}; }}"
        for hook in ("ingress", "egress")
    ]
    caster = scene.start()
    host.at_switch("nft", "table netdev bent { " + "; ".join(chains) + "; }")
    said = scene.ended(caster)
    host.at_switch("nft", "delete table netdev bent")
    target = scene.fleet.report()["targets"][host.address]
    if not target["packets_rejected"] + target["packets_lost"]:
        raise Broken("nothing was corrupted")
    return said


def _reordered(scene: Scene) -> str:
    if missing_compiler():
        raise Broken(missing_compiler())
    long_path(scene.lab, scene.hosts[0], scene.fleet.source.parent, delay_ms=2, late=(0.1, 30), doubled=0.1)
    return scene.ended(scene.start())


def clock(step_s: int, *, of_master: bool = True, of_targets: bool = True) -> Callable[[Scene], str]:
    """By a library between the programs and the C library."""

    def strike(scene: Scene) -> str:
        if missing_compiler():
            raise Broken(missing_compiler())
        folder = scene.fleet.source.parent
        library, step = folder / "clock.so", folder / "step"
        run(COMPILER, "-O2", "-shared", "-fPIC", "-o", str(library), str(Path(__file__).with_name("clock.c")))
        remote = f"env LD_PRELOAD={library if of_targets else ''} CLOCK_STEP={step} python3"
        with mock.patch.dict(os.environ, CLOCK_STEP=str(step)):
            with mock.patch.dict(os.environ, LD_PRELOAD=str(library)):
                before = _shown_time()
                step.write_text("0")
                caster = scene.start("--remote-python", remote) if of_master else None
            caster = caster or scene.start("--remote-python", remote)
            step.write_text(str(step_s))
            with mock.patch.dict(os.environ, LD_PRELOAD=str(library)):
                if abs(_shown_time() - before - step_s) > 3600:
                    raise Broken("the clock was not set")
            return scene.ended(caster)

    return strike


def _shown_time() -> int:
    return int(run(sys.executable, "-c", "import time; print(int(time.time()))"))


@contextmanager
def _file_system_that_hangs(folder: Path) -> Iterator[Callable[[signal.Signals], None]]:
    """Put FUSE before a directory. Yield what stops it, so that all calls about it hang, and lets it go on."""
    server = subprocess.Popen(["bindfs", "-f", str(folder), str(folder)])
    try:
        while not os.path.ismount(folder):
            if server.poll() is not None:
                raise Broken("bindfs has ended")
            time.sleep(0.05)
        yield server.send_signal
    finally:
        server.send_signal(signal.SIGCONT)
        run("umount", "-l", str(folder))
        server.wait()


def target_hangs(seconds: float) -> Callable[[Scene], str]:
    def strike(scene: Scene) -> str:
        with _file_system_that_hangs(scene.dest(scene.hosts[0])) as tell:
            caster = scene.start()
            tell(signal.SIGSTOP)
            time.sleep(seconds)
            tell(signal.SIGCONT)
            return scene.ended(caster)

    return strike


def _source_hangs(scene: Scene) -> str:
    with _file_system_that_hangs(scene.fleet.source) as tell:
        caster = scene.start()
        tell(signal.SIGSTOP)
        time.sleep(20)
        tell(signal.SIGCONT)
        return scene.ended(caster)


def _source_hangs_on(scene: Scene) -> str:
    """The kernel ends a process that waits for FUSE only when it answers, so catchers notice that nothing is said."""
    with _file_system_that_hangs(scene.fleet.source) as tell:
        caster = scene.start()
        tell(signal.SIGSTOP)
        time.sleep(5)
        caster.signal(signal.SIGINT)
        caster.wait_for("a file system does not answer: leaving at once", timeout_s=STATED_S)
        _wait_for_the_end_of_catchers(scene, STATED_S)
    return f"told, all catchers ended; status {caster.wait()}"


def leased(*options: str) -> Callable[[Scene], str]:
    """Somebody has a write lease on a file of t1, and does not give it up."""

    def strike(scene: Scene) -> str:
        fd = os.open(scene.dest(scene.hosts[0]) / "big", os.O_RDWR)
        previous = signal.signal(signal.SIGIO, signal.SIG_IGN)
        try:
            fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
            return scene.ended(scene.start(*options))
        finally:
            os.close(fd)
            signal.signal(signal.SIGIO, previous)

    return strike


def _narrowed(scene: Scene) -> str:
    caster = scene.start()
    scene.hosts[0].narrow(1300)
    return scene.ended(caster)


def _second_session(scene: Scene) -> str:
    caster = scene.start()
    other = start_mrsync(scene.fleet, [scene.hosts[0].address], name="other")
    (scene.fleet.source.parent / "other").mkdir(exist_ok=True)
    status = other.wait()
    return f"{scene.ended(caster)}; the second: status {status}"


def _relay_dies(scene: Scene) -> str:
    for host in scene.hosts:
        host.deafen()
        run(*host.command("ethtool", "-K", "eth0", "tx-udp-segmentation", "off"))
    caster = scene.start("--relay", "auto")
    scene.signal(scene.hosts[1], signal.SIGKILL)
    return scene.ended(caster)


FAULTS: dict[str, Fault] = {
    "master-killed": Fault("the master is killed (SIGKILL)", "catchers end; files are old or new", _master_killed),
    "target-killed": Fault("a target is killed (SIGKILL)", DROPPED, _target_killed),
    "rebooted": Fault("a target reboots and joins the next run", RESUMED, _rebooted),
    "target-stopped-5": Fault("a target stands still for 5 s", GOES_ON, stopped(5)),
    "target-stopped-30": Fault("a target stands still for 30 s", GOES_ON, stopped(30)),
    "target-stopped-60": Fault("a target stands still for 60 s", "an honest end", stopped(60)),
    "target-stopped-90": Fault("a target stands still for 90 s", DROPPED + " (after 60 s)", stopped(90)),
    "master-stopped-5": Fault("the master stands still for 5 s", GOES_ON, stopped(5, master=True)),
    "master-stopped-30": Fault("the master stands still for 30 s", GOES_ON, stopped(30, master=True)),
    "master-stopped-60": Fault("the master stands still for 60 s", GOES_ON, stopped(60, master=True)),
    "master-stopped-90": Fault("the master stands still for 90 s", "files are old or new", stopped(90, master=True)),
    "disk-full": Fault("the disk of t1 is full", REFUSED, _disk("size=3m")),
    "no-inodes": Fault("t1 has no inodes left", REFUSED, _disk("size=64m,nr_inodes=9")),
    "quota": Fault("the quota of t1 is used up (Btrfs, where it holds for root)", REFUSED, _quota),
    "read-only": Fault("the disk of t1 is read-only", DROPPED, _read_only),
    "immutable": Fault("a file of t1 is immutable", REFUSED, _immutable),
    "source-unreadable": Fault("the source has read errors", "the rest is synced; status 23", _unreadable_source),
    "small-buffers": Fault("socket buffers of 212 992 bytes", GOES_ON, _small_buffers),
    "partition": Fault("a target is cut off for 20 s", GOES_ON, _partition),
    "deaf": Fault("a target hears nothing for 10 s", GOES_ON, _lost(1.0, 0.0, 10)),
    "mute": Fault("nothing from a target arrives for 10 s", GOES_ON, _lost(0.0, 1.0, 10)),
    "lossy": Fault("a target loses a fifth of all packets", GOES_ON, _lost(0.2, 0.2, 5)),
    "corrupted": Fault("bytes of 3 % of all packets to and from a target are others", GOES_ON, _corrupted),
    "reordered": Fault("a tenth of the packets to a target comes 30 ms late, a tenth twice", GOES_ON, _reordered),
    "clock-back": Fault("the clocks of all hosts are set back by a day", GOES_ON, clock(-DAY_S)),
    "clock-forward": Fault("the clocks of all hosts are set forward by a year", GOES_ON, clock(365 * DAY_S)),
    "clock-master": Fault("the clock of the master is set back by a day", GOES_ON, clock(-DAY_S, of_targets=False)),
    "clock-targets": Fault("the clocks of all targets go forward by a day", GOES_ON, clock(DAY_S, of_master=False)),
    "target-hangs": Fault("the file system of t1 (FUSE) hangs for 20 s", GOES_ON, target_hangs(20)),
    "target-hangs-90": Fault("the same for 90 s", DROPPED + " (after 60 s)", target_hangs(90)),
    "source-hangs": Fault("the file system of the source (FUSE) hangs for 20 s", GOES_ON, _source_hangs),
    "source-hangs-on": Fault("the same for ever", STOPPABLE, _source_hangs_on),
    "leased": Fault("a program has a lease on a file of t1", GOES_ON, leased()),
    "leased-in-place": Fault("the same with `--inplace`", GOES_ON, leased("--inplace")),
    "narrowed": Fault("the path to a target passes only 1300 bytes from now on", "an honest end", _narrowed),
    "second-session": Fault("a second session on the same group and port", SECOND, _second_session),
    "relay-dies": Fault("a relay is killed", DROPPED, _relay_dies),
}  # fmt: skip
