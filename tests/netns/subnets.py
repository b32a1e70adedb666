"""Two networks: one master with a foot in each, or a router between the master's and the other one."""

from __future__ import annotations

from pathlib import Path

from tests.netns.lab import Host, Lab, batch, run

ROUTER = {False: ("10.77.255.254", "10.78.255.254"), True: ("fd77::ffff", "fd78::ffff")}
NETWORKS = {False: ("10.77.0.0/16", "10.78.0.0/16"), True: ("fd77::/64", "fd78::/64")}


class Subnets(Lab):
    """As many targets on either side; the master's second interface, or the router's, is eth1."""

    def __init__(self, targets_per_side: int, *, is_routed: bool = False, is_ipv6: bool = False) -> None:
        super().__init__(2 * targets_per_side, is_ipv6=is_ipv6)
        self._bridges.append("br1")
        self.near, self.far = self.targets[:targets_per_side], self.targets[targets_per_side:]
        for host in self.far:
            host.address = host.address.replace("fd77:", "fd78:").replace("10.77.", "10.78.")
        self.router = Host(self, "router", ROUTER[is_ipv6][0]) if is_routed else None

    @property
    def hosts(self) -> list[Host]:
        return [*super().hosts, self.router] if self.router else super().hosts

    def start_multicast_router(self, group: str, folder: Path) -> None:
        """Have the router forward this group from the master's network to the other one."""
        assert self.router is not None
        settings = folder / "smcroute.conf"
        settings.write_text(
            f"phyint eth0 enable\nphyint eth1 enable\n"
            f"mgroup from eth0 group {group}\nmroute from eth0 group {group} to eth1\n"
        )
        files = ("-f", settings, "-P", folder / "smcroute.pid", "-u", folder / "smcroute.sock")
        router = self.router.start("smcrouted", "-n", "-N", "-l", "info", *files)
        router.wait_for("Ready")

    def _build(self) -> None:
        super()._build()
        between = self.router or self.master
        ends = f"e-between mtu {self._mtu} type veth peer name eth1 mtu {self._mtu} netns {between.namespace}"
        batch(
            [
                "link add br1 type bridge mcast_snooping 0",
                f"link set br1 mtu {self._mtu} up",
                f"link add {ends}",
                *(f"link set {port} master br1 up" for port in ("e-between", *(host.port for host in self.far))),
            ],
            namespace=self.switch,
        )
        prefix, suffix = ("/64", " nodad") if self._is_ipv6 else ("/16", "")
        address = f"{ROUTER[self._is_ipv6][1]}{prefix} dev eth1{suffix}"
        batch([f"addr add {address}", "link set eth1 up"], namespace=between.namespace)
        run(*between.command("ethtool", "-K", "eth1", "tx-udp-segmentation", "off"))
        if self.router:
            self._route()

    def _route(self) -> None:
        assert self.router is not None
        forwarding = ("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        run(*self.router.command("sysctl", "-q", "-w", *forwarding))
        for hosts, network, gateway in (
            ([self.master, *self.near], NETWORKS[self._is_ipv6][1], ROUTER[self._is_ipv6][0]),
            (self.far, NETWORKS[self._is_ipv6][0], ROUTER[self._is_ipv6][1]),
        ):
            for host in hosts:
                batch([f"route add {network} via {gateway}"], namespace=host.namespace)


def namespace_shell(lab: Lab, folder: Path) -> Path:
    """A remote shell for hosts of this lab, by name or address."""
    cases = "\n".join(
        f'{host.name} | {host.address} | {host.address}%eth0) exec ip netns exec {host.namespace} sh -c "$*" ;;'
        for host in lab.targets
    )
    path = folder / "nsrsh"
    path.write_text(f'#!/bin/sh\nhost=$1\nshift\ncase "$host" in\n{cases}\nesac\necho "$host: no such host"\nexit 1\n')
    path.chmod(0o755)
    return path
