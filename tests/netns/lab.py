"""Hosts in network namespaces behind one switch, with rates and losses: the kernel's own multicast on one machine.

The shape: a bridge in a namespace of its own; `master` and targets t1..tN, each with an eth0 that is plugged into it.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

from tests.netns.process import Process
from tests.support.waiting import HANG_S

PREFIX = "mrsync-test"
PROGRAMS = ("ip", "tc", "nft", "ethtool")
SETTLE_S = 30.0
_numbers = itertools.count()


class LabError(Exception):
    """This machine cannot hold such a lab; str() is the reason."""


class Host:
    """One namespace with one address; its files are those of this machine."""

    def __init__(self, lab: Lab, name: str, address: str) -> None:
        self.name = name
        self.address = address
        self.namespace = f"{lab.name}-{name}"
        self.port = f"e-{name}"  # of the switch
        self._lab = lab

    def start(self, *command: str | Path) -> Process:
        """A program in this host; the lab kills it at its end."""
        process = Process(f"{self.name}: {Path(command[0]).name}", self.command(*command))
        self._lab.processes.append(process)
        return process

    def run(self, *command: str | Path, timeout_s: float = HANG_S) -> subprocess.CompletedProcess[str]:
        """A program in this host, to its end, whatever its status."""
        return subprocess.run(
            self.command(*command),
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    def wire_bytes(self) -> tuple[int, int]:
        """Bytes that came out of this host, bytes that went to it, as its port of the switch counted them."""
        shown = json.loads(run("ip", "-n", self._lab.switch, "-j", "-s", "link", "show", self.port))[0]["stats64"]
        return shown["rx"]["bytes"], shown["tx"]["bytes"]

    def lose(self, share: float = 0.0, *, up: float = 0.0, of: str = "udp") -> None:
        """From now on drop this share of the UDP packets to this host, and of those from it, each by its own draw.

        of: other protocols, as nft writes them: "{ tcp, udp }".
        1.0 is a host that is deaf, or dumb. The drop comes after replication: other hosts get what this one misses.
        """
        table = f"table netdev {self.name}"
        rules = [f"add {table}", f"delete {table}", f"{table} {{"]
        for hook, part in (("egress", share), ("ingress", up)):
            rules.append(f" chain {hook} {{ type filter hook {hook} device {self.port} priority 0;")
            if part > 0:
                draw = f"numgen random mod 1000000 < {round(part * 1e6)} " if part < 1 else ""
                rules.append(f"  meta l4proto {of} {draw}drop")
            rules.append(" }")
        rules.append("}")
        run("ip", "netns", "exec", self._lab.switch, "nft", "-f", "-", stdin="\n".join(rules))

    def at_switch(self, *command: str) -> None:
        """A command in the switch's namespace."""
        run("ip", "netns", "exec", self._lab.switch, *command)

    def deafen(self) -> None:
        """From now on drop what comes to any multicast group, in the host itself."""
        chain = "type filter hook input priority 0;\n meta pkttype multicast meta l4proto udp drop\n"
        rules = f"table inet deaf {{ chain input {{ {chain} }}\n}}\n"
        run(*self.command("nft", "-f", "-"), stdin=rules)

    def narrow(self, mtu: int) -> None:
        """Have the switch drop larger packets to this host, whatever its own interface claims."""
        run("ip", "-n", self._lab.switch, "link", "set", self.port, "mtu", str(mtu))

    def swallow(self, longer_than: int) -> None:
        """Have the switch drop longer packets to this host, and cut none of them into fragments."""
        drop = f"type filter hook egress device {self.port} priority 0;\n meta length > {longer_than} drop\n"
        rules = f"table netdev {self.name} {{ chain egress {{ {drop} }}\n}}\n"
        run("ip", "netns", "exec", self._lab.switch, "nft", "-f", "-", stdin=rules)

    def slow_down(self, rate: str) -> None:
        """Give the way to this host a rate, as tc writes it ("100mbit"), and a queue of 100 ms."""
        shape = f"qdisc replace dev {self.port} root tbf rate {rate} burst 10k latency 100ms"
        run("tc", "-n", self._lab.switch, *shape.split())

    def unplug(self) -> None:
        """Pull the cable."""
        run("ip", "-n", self._lab.switch, "link", "set", self.port, "down")

    def plug(self) -> None:
        """Put it back, and wait until the switch forwards."""
        run("ip", "-n", self._lab.switch, "link", "set", self.port, "up")
        self._lab.settle()

    def command(self, *command: str | Path) -> list[str]:
        return ["ip", "netns", "exec", self.namespace, *map(str, command)]


class Lab:
    """A context: at its end every process is killed and every namespace is gone.

    rate: bits/s of the master's uplink, as tc writes it ("200mbit"). By default packets travel in wire size and are
    joined again by the receivers, as real network cards do; with has_bursts a burst of UDP_SEGMENT crosses the switch
    as one piece, faster, and is lost as one. is_ipv6: no host has an IPv4 address.
    """

    def __init__(
        self,
        target_count: int,
        *,
        rate: str | None = None,
        mtu: int = 1500,
        has_bursts: bool = False,
        is_ipv6: bool = False,
    ) -> None:
        self.name = f"{PREFIX}-{os.getpid()}-{next(_numbers)}"
        self.switch = f"{self.name}-switch"
        self.processes: list[Process] = []
        self.master = Host(self, "master", "fd77::1" if is_ipv6 else "10.77.0.1")
        self.targets = [
            Host(self, f"t{i}", f"fd77::{0x1000 + i:x}" if is_ipv6 else f"10.77.{i // 200}.{10 + i % 200}")
            for i in range(1, target_count + 1)
        ]
        self._is_ipv6 = is_ipv6
        self._bridges = ["br0"]
        self.rate = rate
        self._mtu = mtu
        self._has_bursts = has_bursts

    @property
    def hosts(self) -> list[Host]:
        return [self.master, *self.targets]

    def __enter__(self) -> Lab:
        sweep()
        try:
            self._build()
            self.settle()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        for process in self.processes:
            process.close()
        _delete(namespace for namespace in _namespaces() if namespace.startswith(f"{self.name}-"))

    def forget_members(self, seconds: float) -> None:
        """Have the switch forward multicast to members only, and forget those who have not reported for so long.

        It believes that there is a querier, for it has heard one query; there will be no other.
        """
        intervals = f"mcast_membership_interval {int(seconds * 100)} mcast_querier_interval 360000"
        run("ip", "-n", self.switch, *f"link set br0 type bridge mcast_snooping 1 {intervals}".split())
        query = "from socket import *; s = socket(AF_INET, SOCK_RAW, IPPROTO_IGMP); s.setsockopt(0, 32, inet_aton("
        query += f"'{self.master.address}')); s.sendto(bytes.fromhex('110aeef500000000'), ('224.0.0.1', 0))"
        run(*self.master.command(sys.executable, "-c", query))

    def settle(self) -> None:
        """Wait until every port that is up forwards; the kernel takes its time to see a new cable."""
        deadline = time.monotonic() + SETTLE_S
        while True:
            slow = [
                link["ifname"]
                for bridge in self._bridges
                for link in json.loads(run("ip", "-n", self.switch, "-j", "-d", "link", "show", "master", bridge))
                if "UP" in link["flags"] and link["linkinfo"]["info_slave_data"]["state"] != "forwarding"
            ]
            if not slow:
                return
            if time.monotonic() > deadline:
                raise LabError(f"ports of the switch do not come up: {', '.join(slow)}")
            time.sleep(0.005)

    def _build(self) -> None:
        batch(f"netns add {namespace}" for namespace in (self.switch, *(host.namespace for host in self.hosts)))
        wiring = ["link add br0 type bridge mcast_snooping 0", f"link set br0 mtu {self._mtu} up"]
        for host in self.hosts:
            ends = f"{host.port} mtu {self._mtu} type veth peer name eth0 mtu {self._mtu} netns {host.namespace}"
            wiring += [f"link add {ends}", f"link set {host.port} master br0 up"]
        batch(wiring, namespace=self.switch)
        for host in self.hosts:
            address, route = f"{host.address}/16 dev eth0", ["route add 224.0.0.0/4 dev eth0"]
            if self._is_ipv6:
                address, route = f"{host.address}/64 dev eth0 nodad", []  # every interface has one for ff00::/8
            batch(["link set lo up", f"addr add {address}", "link set eth0 up", *route], namespace=host.namespace)
        if not self._has_bursts:
            run(*self.master.command("ethtool", "-K", "eth0", "tx-udp-segmentation", "off"))
            for host in self.targets:
                run("ip", "netns", "exec", self.switch, "ethtool", "-K", host.port, "tso", "off")
                run(*host.command("ethtool", "-K", "eth0", "gro", "on"))
        if self.rate:
            shape = f"qdisc add dev eth0 root tbf rate {self.rate} burst 128k latency 20ms"
            run("tc", "-n", self.master.namespace, *shape.split())


def missing_requirement() -> str | None:
    """Why no lab can be built here, or None; the answer is tried out once, not guessed."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    for program in PROGRAMS:
        if shutil.which(program) is None:
            return f"{program} is not installed"
    try:
        with Lab(1, rate="1gbit") as lab:
            lab.targets[0].lose(0.5)
    except LabError as error:
        return f"no lab here: {error}"
    return None


def sweep() -> None:
    """Remove what a killed test run left behind."""
    _delete(
        namespace
        for namespace in _namespaces()
        if namespace.startswith(f"{PREFIX}-") and not os.path.exists(f"/proc/{namespace.split('-')[2]}")
    )


def _namespaces() -> list[str]:
    return [line.split()[0] for line in run("ip", "netns", "list").splitlines()]


def _delete(namespaces: Iterable[str]) -> None:
    batch(f"netns del {namespace}" for namespace in namespaces)


def batch(commands: Iterable[str], *, namespace: str | None = None) -> None:
    """Many commands of ip in one process."""
    inside = ["-n", namespace] if namespace else []
    run("ip", *inside, "-batch", "-", stdin="\n".join(commands))


def run(*command: str, stdin: str = "") -> str:
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(f"{' '.join(command)}: {done.stderr.strip() or done.returncode}")
    return done.stdout
