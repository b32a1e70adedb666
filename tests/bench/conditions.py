"""The conditions of ./run bench networks: what is done to a lab, and what time a perfect program would need."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tests.bench.impairments import long_path, slow_disk
from tests.bench.links import MIB
from tests.netns.fleet import READY, Fleet
from tests.netns.lab import Host, Lab, run
from tests.netns.process import Process
from tests.programs import program

PAYLOAD_SHARE = 0.952  # of a link's bits, headers and sealing taken off
MBIT = 1e6 / 8 * PAYLOAD_SHARE  # bytes of contents per second
BEGUN_BYTES = 4_000_000
WAIT = ("--encrypt", "--progress", "none")


class Cast:
    """One cast in a lab; prefixes: what goes before the command of a catcher, by host."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab = lab
        self.folder = folder
        self.fleet = Fleet(lab, folder)
        self.prefixes: dict[str, list[str]] = {}
        self.catcher_options: tuple[str, ...] = ()
        self.catchers: list[Process] = []
        self.caster: Process

    def start(self, options: tuple[str, ...]) -> None:
        """Start all catchers, and the caster when they listen."""
        for index, host in enumerate(self.lab.targets):
            keyed = ("-t", self.fleet.dest(host), "-i", index, "--key-file", self.folder / "key", "-I", "eth0")
            command = program("multicatcher", *keyed, *self.catcher_options)
            self.catchers.append(host.start(*self.prefixes.get(host.name, []), *command))
        for catcher in self.catchers:
            catcher.wait_for(READY)
        self.caster = self.fleet.start_caster(*WAIT, *options)

    @property
    def half(self) -> list[Host]:
        return self.lab.targets[: len(self.lab.targets) // 2]

    def wait_until_begun(self) -> None:
        """Return when contents are on the wire."""
        while self.lab.master.wire_bytes()[0] < BEGUN_BYTES:
            time.sleep(0.05)


Step = Callable[[Cast], None]


def nothing(cast: Cast) -> None:
    """Leave the lab as it is."""


class Condition(NamedTuple):
    """possible_s: what a program needs that knows all; remark: why less than nine tenths of it may be reached."""

    what: str
    possible_s: float
    before: Step = nothing
    during: Step = nothing
    options: tuple[str, ...] = ("-w", "30")
    targets: int = 4
    rate: str | None = "200mbit"
    size: int = 64 * MIB
    needs_compiler: bool = False
    remark: str = ""


LINK_S = 64 * MIB / (200 * MBIT)
SMALL_START = "a session begins with a small window, as TCP does"


def losing(share: float) -> Step:
    def before(cast: Cast) -> None:
        for host in cast.lab.targets:
            host.lose(share)

    return before


def cut_off(seconds: float, *, who: Callable[[Cast], list[Host]] = lambda cast: cast.half) -> Step:
    """These hear nothing and are not heard for so long."""

    def during(cast: Cast) -> None:
        cast.wait_until_begun()
        for host in who(cast):
            host.lose(1.0, up=1.0)
        time.sleep(seconds)
        for host in who(cast):
            host.lose(0.0)

    return during


def path(first_only: bool = False, **details: object) -> Step:
    def before(cast: Cast) -> None:
        for host in cast.lab.targets[: 1 if first_only else None]:
            long_path(cast.lab, host, cast.folder, **details)  # type: ignore[arg-type]

    return before


def stop(which: Callable[[Cast], Process], seconds: float) -> Step:
    def during(cast: Cast) -> None:
        cast.wait_until_begun()
        process = which(cast)
        process.signal(signal.SIGSTOP)
        time.sleep(seconds)
        process.signal(signal.SIGCONT)

    return during


def port(rate: str, queue: str) -> Step:
    """The first target's port of the switch has this rate and queue, as tc writes them."""

    def before(cast: Cast) -> None:
        where = f"qdisc replace dev {cast.lab.targets[0].port} root tbf rate {rate} burst 3k {queue}"
        run("tc", "-n", cast.lab.switch, *where.split())

    return before


def disk(bytes_s: int) -> Step:
    def before(cast: Cast) -> None:
        cast.prefixes[cast.lab.targets[0].name] = slow_disk(cast.folder, bytes_s)

    return before


def deaf_for(seconds: float) -> Step:
    """No multicast gets through to anybody for a while; unicast does."""

    def during(cast: Cast) -> None:
        cast.wait_until_begun()
        for host in cast.lab.targets:
            host.deafen()
        time.sleep(seconds)
        for host in cast.lab.targets:
            host.run("nft", "delete", "table", "inet", "deaf")

    return during


def without_power(cast: Cast) -> None:
    """Catchers get no larger buffers than anybody does."""
    for host in cast.lab.targets:
        cast.prefixes[host.name] = ["setpriv", "--bounding-set", "-net_admin", "--inh-caps", "-net_admin"]


def narrow(cast: Cast) -> None:
    cast.lab.targets[0].narrow(1300)


def half_mute(cast: Cast) -> None:
    for host in cast.half:
        host.lose(0.0, up=0.5)


def both(*steps: Step) -> Step:
    """One after the other."""

    def before(cast: Cast) -> None:
        for step in steps:
            step(cast)

    return before


def different_paths(cast: Cast) -> None:
    for host, delay_ms in zip(cast.lab.targets, (0.5, 5.0, 15.0, 50.0), strict=True):
        long_path(cast.lab, host, cast.folder, delay_ms=delay_ms)


def slow_answers(cast: Cast) -> None:
    """All that targets send has a hundredth of the rate."""
    shape = "qdisc replace dev eth0 root tbf rate 2mbit burst 3k latency 200ms"
    for host in cast.lab.targets:
        host.run("tc", *shape.split())


def interface_down(cast: Cast) -> None:
    """The first target's interface is down for 3 s."""
    cast.wait_until_begun()
    host = cast.lab.targets[0]
    host.run("ip", "link", "set", "eth0", "down")
    time.sleep(3)
    host.run("ip", "link", "set", "eth0", "up")
    host.run("ip", "route", "replace", "224.0.0.0/4", "dev", "eth0")


def other_address(cast: Cast) -> None:
    """The first target gets another address."""
    cast.wait_until_begun()
    host = cast.lab.targets[0]
    host.run("ip", "address", "delete", f"{host.address}/16", "dev", "eth0")
    host.run("ip", "address", "add", f"{host.address.rsplit('.', 1)[0]}.200/16", "dev", "eth0")
    host.run("ip", "route", "replace", "224.0.0.0/4", "dev", "eth0")


def naps(cast: Cast) -> None:
    """The first target is stopped for 3 of every 10 s."""
    cast.wait_until_begun()
    while cast.caster.is_running:
        cast.catchers[0].signal(signal.SIGSTOP)
        time.sleep(3)
        cast.catchers[0].signal(signal.SIGCONT)
        time.sleep(7)


def asking(cast: Cast) -> None:
    cast.catcher_options = ("--master", cast.lab.master.address)


CONDITIONS = (
    Condition("nothing is wrong", LINK_S),
    *(
        Condition(f"{share:.0%} of all packets are lost", LINK_S / (1 - share), losing(share), remark=remark)
        for share, remark in (
            (0.01, ""),
            (0.05, ""),
            (0.1, ""),
            (0.2, "the trial whether it is noise; simulated: 88 %"),
            (0.4, "most of what is missed is missed by several, so that coding gains little; simulated: 57 %"),
        )
    ),
    Condition("2 % are lost, in runs of 20", LINK_S / 0.98, path(lost=(0.02, 20.0)), needs_compiler=True),
    Condition("1 % come 1 s late", LINK_S + 1, path(late=(0.01, 1000.0)), needs_compiler=True),
    Condition("5 % come twice", LINK_S, path(doubled=0.05), needs_compiler=True),
    Condition("round trips of 100 ms", LINK_S, path(delay_ms=50.0), remark=SMALL_START, needs_compiler=True),
    Condition(
        "round trips of 300 ms",
        4 * LINK_S,
        path(delay_ms=150.0),
        size=256 * MIB,
        remark=SMALL_START,
        needs_compiler=True,
    ),
    Condition("the disk of one takes 5 MB/s", 32 * MIB / 5e6, disk(5_000_000), size=32 * MIB, needs_compiler=True),
    Condition(
        "the port of one has 20 Mbit/s, 100 ms of queue",
        32 * MIB / (20 * MBIT),
        port("20mbit", "latency 100ms"),
        size=32 * MIB,
    ),
    Condition(
        "the port of one has 100 Mbit/s, 32 KB of queue",
        64 * MIB / (100 * MBIT),
        port("100mbit", "limit 32000"),
        remark="the queue holds half a page, and is full before it can be seen",
    ),
    Condition("half are cut off for 6 s", LINK_S + 6, during=cut_off(6)),
    Condition("half are cut off for 15 s", LINK_S + 15, during=cut_off(15), options=("-w", "60")),
    Condition("half are cut off for 60 s", LINK_S + 60, during=cut_off(60), options=("-w", "120")),
    Condition("half of the reports of half of them are lost", LINK_S, half_mute),
    Condition("one target is stopped for 8 s", LINK_S + 8, during=stop(lambda cast: cast.catchers[0], 8)),
    Condition("the master is stopped for 12 s", LINK_S + 12, during=stop(lambda cast: cast.caster, 12)),
    Condition(
        "no multicast gets through for 6 s",
        LINK_S + 6,
        during=deaf_for(6),
        remark="copies go to each target by unicast meanwhile",
    ),
    Condition("buffers as kernels give them", LINK_S, without_power),
    Condition("the path of one takes 1300 bytes", LINK_S * 1.02, narrow),
    Condition(
        "8 targets by unicast behind 100 Mbit/s, 20 ms of queue",
        8 * 16 * MIB / (100 * MBIT),
        asking,
        options=("-w", "30", "--unicast"),
        targets=8,
        rate="100mbit",
        size=16 * MIB,
    ),
    Condition(
        "round trips of 1, 10, 30 and 100 ms",
        LINK_S + 0.1,
        different_paths,
        needs_compiler=True,
        remark="on a long path, late programs look like a queue; 80 and 82 % in two other runs",
    ),
    Condition(
        "as in WiFi: 50 Mbit/s, 2 % lost in runs of 10, 2 % come 200 ms late",
        64 * MIB / (50 * MBIT) / 0.98,
        both(path(late=(0.02, 200.0), lost=(0.02, 10.0)), port("50mbit", "latency 100ms")),
        needs_compiler=True,
        remark="93 and 92 % in two other runs",
    ),
    Condition("the port of one has 100 Mbit/s, 1 s of queue", 2 * LINK_S, port("100mbit", "latency 1000ms")),
    Condition("targets can send 2 Mbit/s", LINK_S, slow_answers),
    Condition("the interface of one is down for 3 s", LINK_S + 3, during=interface_down),
    Condition("one gets another address", LINK_S, during=other_address),
    Condition("one is stopped for 3 of every 10 s", 64 * MIB / (50 * MBIT) + 3, during=naps, rate="50mbit"),
)
