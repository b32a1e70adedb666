"""./run bench share: what --share leaves to TCP connections and to another session, and what a session gets alone."""

from __future__ import annotations

import json
import signal
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench.figures import Figure
from tests.bench.links import MIB, fill
from tests.netns.fleet import Fleet
from tests.netns.lab import Host, Lab, run

MBIT = 100  # of the port
PAYLOAD_BYTES_S = MBIT * 1e6 / 8 * 0.952  # headers and sealing taken off
TCP_MBIT = MBIT * 1448 / 1514  # of data, alone
QUEUES_MS = (10, 100)
ALONE_GOAL, LOSSY_GOAL = 97, 96
TCP_BEGINS_S, TCP_S = 2, 24  # after the session began
COUNTED_FROM_S = 8  # of its time: by then both know each other
POLITE_GOAL = 85
EVENNESS = 0.8  # of an even share with many: 40 of 50 % with one
SHARES = ("fair", "polite")
GROUPS, PORTS = ("239.255.1.1", "239.255.1.2"), ("8888", "9000")  # of two sessions


def shares() -> Iterator[Figure]:
    for share in SHARES:
        for queue_ms in QUEUES_MS:
            yield alone(share, queue_ms)
            yield alone(share, queue_ms, loss=0.01)
    for share in SHARES:
        for queue_ms in QUEUES_MS:
            for connections in (1, 4):
                yield beside(share, queue_ms, connections)
    for queue_ms in QUEUES_MS:
        yield beside_another_session(queue_ms)


def alone(share: str, queue_ms: int, *, loss: float = 0.0, size: int = 96 * MIB) -> Figure:
    """The share of the port's rate that a session gets when nobody else is there."""
    with fleet(queue_ms, size) as made:
        for host in made.lab.targets:
            host.lose(loss)
        made.start_catchers()
        status = made.cast("--encrypt", "-w", "30", "--progress", "none", "--share", share)
        if status or made.differences():
            raise RuntimeError(f"multicaster ended with {status}")
        report = made.report()
    got = 100 * size / report["seconds"]["cast"] / PAYLOAD_BYTES_S
    note = f"{100 * report['packets_repaired'] / report['packets_sent']:.1f} % repairs"
    what = f"--share {share} alone, queue of {queue_ms} ms, {loss:.0%} loss"
    return Figure(what, got, "%", LOSSY_GOAL if loss else ALONE_GOAL, note=note)


def beside(share: str, queue_ms: int, connections: int) -> Figure:
    """Return the share of the port's rate that this many TCP connections get beside a session that began before."""
    with fleet(queue_ms, 256 * MIB) as made:
        target = made.lab.targets[0]
        target.start("iperf3", "-s", "--forceflush").wait_for("listening")
        made.start_catchers()
        caster = made.start_caster("--encrypt", "-w", "30", "--progress", "none", "--share", share)
        while made.lab.master.wire_bytes()[0] < 4e6:
            time.sleep(0.05)
        time.sleep(TCP_BEGINS_S)
        said = made.lab.master.run(
            *("iperf3", "-c", target.address, "-C", "cubic", "-P", str(connections), "-t", str(TCP_S), "-J"),
            timeout_s=TCP_S + 30,
        )
        has_ended = made.report_path.exists()
        caster.signal(signal.SIGINT)
        caster.wait()
    if has_ended:
        raise RuntimeError("the session ended too early")
    seconds = [interval["sum"]["bits_per_second"] / 1e6 for interval in json.loads(said.stdout)["intervals"]]
    got = 100 * statistics.mean(seconds[COUNTED_FROM_S:]) / TCP_MBIT
    even = 100 * connections / (connections + 1)
    what = f"TCP beside --share {share}, queue of {queue_ms} ms, {connections} of them"
    at_first = 100 * statistics.mean(seconds[:COUNTED_FROM_S]) / TCP_MBIT
    note = f"even: {even:.0f} %; in the first {COUNTED_FROM_S} s {at_first:.0f} %"
    return Figure(what, got, "%", POLITE_GOAL if share == "polite" else EVENNESS * even, note=note)


def beside_another_session(queue_ms: int) -> Figure:
    """The share of what two sessions get together that the second one gets, which begins later."""
    with fleet(queue_ms, 256 * MIB) as first:
        target = first.lab.targets[0]
        (first.source.parent / "second").mkdir()
        second = Fleet(first.lab, first.source.parent / "second")
        fill(second.source, 256 * MIB)
        count(target)
        casters = []
        for made, group, port in zip((first, second), GROUPS, PORTS, strict=True):
            made.start_catchers("-A", group, "-P", port)
        for made, group, port in zip((first, second), GROUPS, PORTS, strict=True):
            casters.append(made.start_caster("--encrypt", "-w", "30", "--progress", "none", "-A", group, "-P", port))
            time.sleep(TCP_BEGINS_S)
        time.sleep(COUNTED_FROM_S)
        before = heard(target)
        time.sleep(TCP_S - COUNTED_FROM_S)
        got = [later - earlier for later, earlier in zip(heard(target), before, strict=True)]
        has_ended = first.report_path.exists() or second.report_path.exists()
        for caster in casters:
            caster.signal(signal.SIGINT)
            caster.wait()
    if has_ended:
        raise RuntimeError("a session ended too early")
    note = f"together {100 * sum(got) * 8e-6 / MBIT / (TCP_S - COUNTED_FROM_S):.0f} % of the port; even: 50 %"
    return Figure(f"a second session beside one, queue of {queue_ms} ms", 100 * got[1] / sum(got), "%", 40, note=note)


def count(target: Host) -> None:
    """Have a host count what reaches it for each group."""
    rules = "\n".join(f"ip daddr {group} counter" for group in GROUPS)
    table = f"table ip seen {{\n chain heard {{\n type filter hook prerouting priority -300;\n{rules}\n}}\n}}\n"
    run(*target.command("nft", "-f", "-"), stdin=table)


def heard(target: Host) -> list[int]:
    """Return the bytes that reached this host for each group."""
    said = json.loads(target.run("nft", "-j", "list", "table", "ip", "seen").stdout)["nftables"]
    rules = [item["rule"]["expr"] for item in said if "rule" in item]
    return [part["counter"]["bytes"] for expr in rules for part in expr if "counter" in part]


@contextmanager
def fleet(queue_ms: int, size: int) -> Iterator[Fleet]:
    """Two targets, one of them behind a slow port, and a file of this size."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder, Lab(2) as lab:
        made = Fleet(lab, Path(folder))
        fill(made.source, size)
        queue = f"rate {MBIT}mbit burst 3k latency {queue_ms}ms"
        run("tc", "-n", lab.switch, *f"qdisc replace dev {lab.targets[0].port} root tbf {queue}".split())
        yield made
