"""The tools that compete, and how each brings the source to all targets of a field."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tests.bench.peers.field import PORT, Field, wait_for_port
from tests.netns.lab import Host
from tests.netns.process import Process
from tests.netns.subnets import namespace_shell
from tests.programs import program

UFTP_PORT = 1044
UFTP_BUFFER = 100 << 20
RENDEZVOUS = "239.77.0.1"  # the lab has no broadcast address, which udpcast would take
READY = r'"ready"'
COMPARING = "phase comparing"
CLUSH = Path(sys.executable).with_name("clush")  # of ClusterShell, which mrsync needs anyway


def no_receivers(field: Field) -> list[Process]:
    return []


class Tool(NamedTuple):
    """receive: what waits on the targets, started before the clock. send: what is timed, until all of it has ended.

    receivers_end: they end by themselves with the copy, and are timed as well. is_over_ssh: it starts its receivers by
    ssh, as part of the time. is_for_trees: it finds out what differs. first_sign: what it says when the first bytes of
    the tree are on their way.
    """

    name: str
    label: str
    send: Callable[[Field], list[Process]]
    receive: Callable[[Field], list[Process]] = no_receivers
    receivers_end: bool = False
    is_over_ssh: bool = False
    is_for_trees: bool = False
    first_sign: str = ""
    programs: tuple[str, ...] = ()


def multicatchers(field: Field) -> list[Process]:
    catchers = [
        field.start(host, *program("multicatcher", "-t", field.tree(host), "-i", index, *_keyed(field)))
        for index, host in enumerate(field.lab.targets)
    ]
    for catcher in catchers:
        catcher.wait_for(READY)
    return catchers


def multicaster(field: Field) -> list[Process]:
    names = ",".join(host.name for host in field.lab.targets)
    options = ("--encrypt", "-w", 30, "--progress", "none")
    command = program("multicaster", "-m", names, "-s", field.source, *_keyed(field), *options)
    return [field.start(field.lab.master, *command)]


def _keyed(field: Field) -> tuple[str | Path, ...]:
    return ("--key-file", field.key, "-I", "eth0")


def mrsync_by_ssh(field: Field) -> list[Process]:
    return [field.estate.start("-v", "2")]


def mrsync_by_namespaces(field: Field) -> list[Process]:
    """Its remote shell only enters the namespace of the target, so that no ssh takes part."""
    shell = str(namespace_shell(field.lab, field.folder))
    return [field.estate.start(shell=shell, dest=field.folder / "{host}" / "dest")]


def rsync_daemons(field: Field) -> list[Process]:
    started = []
    for host in field.lab.targets:
        config = field.folder / f"{host.name}.conf"
        module = f"[dest]\npath = {field.tree(host)}\nread only = no\nuid = 0\ngid = 0\n"
        config.write_text(f"use chroot = no\npid file = {config}.pid\nreverse lookup = no\n{module}")
        daemon = ("rsync", "--daemon", "--no-detach", f"--config={config}", f"--port={PORT}")
        started.append(field.start(host, *daemon))
    for host in field.lab.targets:
        wait_for_port(host)
    return started


def rsyncs(field: Field) -> list[Process]:
    """All at once, as one would start them in the background."""
    return [
        field.start(field.lab.master, *_rsync(field), f"rsync://{host.address}:{PORT}/dest/")
        for host in field.lab.targets
    ]


def rsyncs_by_ssh(field: Field) -> list[Process]:
    shell = f"ssh -F {field.estate.keys}/config"
    return [
        field.estate.on_master(*_rsync(field), "-e", shell, f"{host.name}:{field.estate.dest}/")
        for host in field.lab.targets
    ]


def _rsync(field: Field) -> tuple[str, ...]:
    return ("rsync", "-a", "--delete", f"{field.source}/")


def clush(field: Field) -> list[Process]:
    names = ",".join(host.name for host in field.lab.targets)
    options = f"-O -F {field.estate.keys}/config"  # -O: by the old protocol, for the servers have no sftp
    entries = sorted(field.source.iterdir())
    at_once = str(4 * len(field.lab.targets))  # a server of ssh turns away more than ten strangers
    command: tuple[str | Path, ...] = (
        CLUSH,
        "-S",
        "-f",
        at_once,
        "-w",
        names,
        "-O",
        f"scp_options={options}",
        "-p",
        "--copy",
        *entries,
    )
    return [field.estate.on_master(*command, "--dest", f"{field.estate.dest}/")]


def chain(field: Field) -> list[Process]:
    """From the end to the beginning: each one must listen before the one before it connects."""
    following: Host | None = None
    started = []
    for host in reversed(field.lab.targets):
        onward = f"| tee >(nc -N {following.address} {PORT}) " if following is not None else ""
        unpack = f"tar -xp -C {shlex.quote(str(field.tree(host)))}"
        started.append(field.start(host, *_bash(f"nc -l {PORT} {onward}| {unpack}; wait")))
        wait_for_port(host)
        following = host
    return started


def chain_head(field: Field) -> list[Process]:
    first = field.lab.targets[0]
    return [field.start(field.lab.master, *_bash(f"{_pack(field)} | nc -N {first.address} {PORT}"))]


def _pack(field: Field) -> str:
    return f"tar -c --format=posix -C {shlex.quote(str(field.source))} ."


def _bash(line: str) -> tuple[str, ...]:
    return ("bash", "-o", "pipefail", "-c", line)


def udp_receivers(field: Field) -> list[Process]:
    started = [
        field.start(host, "udp-receiver", *UDPCAST, "--pipe", f"tar -xp -C {field.tree(host)}")
        for host in field.lab.targets
    ]
    for host in field.lab.targets:
        wait_for_port(host)
    return started


def udp_sender(field: Field) -> list[Process]:
    options = ("--full-duplex", "--min-receivers", str(len(field.lab.targets)), "--max-wait", "20")
    return [field.start(field.lab.master, *_bash(f"{_pack(field)} | {shlex.join(('udp-sender', *UDPCAST, *options))}"))]


UDPCAST = ("--nokbd", "--interface", "eth0", "--mcast-rdv-address", RENDEZVOUS)


def uftpds(field: Field) -> list[Process]:
    options = ("-d", "-x", "0", "-I", "eth0", "-B", str(UFTP_BUFFER), "-D")
    started = [field.start(host, "uftpd", *options, field.tree(host)) for host in field.lab.targets]
    for host in field.lab.targets:
        wait_for_port(host, UFTP_PORT)
    return started


def uftp(field: Field) -> list[Process]:
    """At nine tenths of the link's rate: the highest that its manual would allow; unshaped, as fast as it can."""
    kbit_s = "-1" if field.lab.rate is None else str(int(field.lab.rate.removesuffix("mbit")) * 900)
    known = ",".join(
        "0x{:02X}{:02X}{:02X}{:02X}".format(*map(int, host.address.split("."))) for host in field.lab.targets
    )
    options = ("-x", "0", "-I", "eth0", "-R", kbit_s, "-B", str(UFTP_BUFFER), "-b", "1400", "-H", known)
    entries = sorted(field.source.iterdir())
    return [field.start(field.lab.master, "uftp", *options, "-E", f"{field.source}/", *entries)]


MRSYNC = Tool("mrsync", "mrsync, catchers wait", multicaster, multicatchers, receivers_end=True, is_for_trees=True)
MRSYNC_BY_SSH = Tool(
    "mrsync-ssh", "mrsync by ssh", mrsync_by_ssh, is_over_ssh=True, is_for_trees=True, first_sign=COMPARING
)
RSYNC = Tool("rsync", "rsync x N, daemons", rsyncs, rsync_daemons, is_for_trees=True, programs=("rsync", "ss"))
RSYNC_BY_SSH = Tool(
    "rsync-ssh", "rsync x N by ssh", rsyncs_by_ssh, is_over_ssh=True, is_for_trees=True, programs=("rsync",)
)
CHAIN = Tool("pipes", "nc | tee | tar", chain_head, chain, receivers_end=True, programs=("nc", "tee", "ss", "tar"))
UDPCAST_TOOL = Tool("udpcast", "udpcast", udp_sender, udp_receivers, receivers_end=True, programs=("udp-sender", "ss"))
UFTP = Tool("uftp", "UFTP", uftp, uftpds, programs=("uftp", "uftpd", "ss"))
CLUSH_COPY = Tool("clush", "clush --copy", clush, is_over_ssh=True, programs=(str(CLUSH), "scp"))
MRSYNC_BY_NAMESPACES = Tool("mrsync", "mrsync", mrsync_by_namespaces)
TOOLS = (RSYNC, MRSYNC, MRSYNC_BY_SSH, RSYNC_BY_SSH, CHAIN, UDPCAST_TOOL, UFTP, CLUSH_COPY)


def lacking(tool: Tool) -> list[str]:
    """Return the programs of a tool that are not installed here."""
    return [name for name in tool.programs if shutil.which(name) is None]


def able() -> list[Tool]:
    """Return the tools that can run here."""
    return [tool for tool in TOOLS if not lacking(tool)]
