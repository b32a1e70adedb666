"""A hostile network: whatever strangers send, the trees are exact and no session ends early."""

from __future__ import annotations

import json
import os
import random
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.trees import build_awkward_tree
from tests.whole.site import LOOPBACK, Site

MEGABYTE = 1 << 20
HEADER = struct.Struct(">BBBBBBHIHHII")  # docs/protocol.md: magic, version, kind, index, count, object, ... tag, ...
SEED = random.randrange(1 << 32)
DATAGRAMS_PER_S = 1500
ETH_P_IP = 0x0800


class Stranger:
    """Receive what a site sends, and send datagrams to its group, its caster and its catchers."""

    def __init__(self, site: Site) -> None:
        self.chance = random.Random(SEED)
        self.received: list[bytes] = []
        self.sent = 0
        self._site = site
        self._is_over = threading.Event()
        self._receiver = self._open_receiver()
        self._sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        membership = socket.inet_aton("0.0.0.0") + socket.inet_aton(LOOPBACK)
        self._sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, membership[4:])

    def _open_receiver(self) -> socket.socket:
        """Open a socket that receives the group and, for root, everything else, as any host of the network may."""
        if os.geteuid() == 0:
            receiver = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_IP))
            receiver.bind(("lo", ETH_P_IP))
        else:
            receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            receiver.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            receiver.bind((self._site.group, self._site.port))
            membership = socket.inet_aton(self._site.group) + socket.inet_aton(LOOPBACK)
            receiver.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
        receiver.setblocking(False)
        return receiver

    @contextmanager
    def sending(self, make: Callable[[Stranger], bytes]) -> Iterator[None]:
        """Send the datagrams that `make` returns until the context ends."""
        thread = threading.Thread(target=self._send_all, args=(make,))
        thread.start()
        try:
            yield
        finally:
            self._is_over.set()
            thread.join()
            self._receiver.close()
            self._sender.close()

    def _send_all(self, make: Callable[[Stranger], bytes]) -> None:
        while not self._is_over.wait(0.01):
            self._receive()
            places = [(self._site.group, self._site.port), (LOOPBACK, self._site.port - 1)]
            places += [(LOOPBACK, port) for port in udp_ports()]
            for _ in range(DATAGRAMS_PER_S // 100):
                datagram = make(self)
                if datagram:
                    self.sent += 1
                    self._sender.sendto(datagram[:60000], self.chance.choice(places))

    def _receive(self) -> None:
        for _ in range(200):
            try:
                packet = self._receiver.recv(65536)
            except BlockingIOError:
                return
            datagram = udp_payload(packet, self._site.port) if os.geteuid() == 0 else packet
            if datagram is not None and len(self.received) < 3000:
                self.received.append(datagram)


def udp_payload(packet: bytes, port: int) -> bytes | None:
    """Return what an IP packet carries if it belongs to the session on this port, else None."""
    header = (packet[0] & 15) * 4
    if packet[9] != socket.IPPROTO_UDP:
        return None
    ports = struct.unpack_from(">HH", packet, header)
    return packet[header + 8 :] if {port, port - 1} & set(ports) else None


def udp_ports() -> list[int]:
    """Return the UDP ports on which this host listens, among them those of the catchers' sockets for answers."""
    lines = Path("/proc/net/udp").read_text().splitlines()[1:]
    return [int(line.split()[1].rpartition(":")[2], 16) for line in lines if line.split()[1].startswith("00000000:")]


def junk(stranger: Stranger) -> bytes:
    chance = stranger.chance
    return chance.randbytes(chance.choice((0, 1, 23, 24, 25, 40, 100, 1448, 9000, 60000)))


def forged(stranger: Stranger) -> bytes:
    """Return a packet with the right magic, version and session tag, and everything else made up."""
    chance = stranger.chance
    if not stranger.received:
        return junk(stranger)
    real = chance.choice(stranger.received)
    if len(real) < HEADER.size:
        return junk(stranger)
    fields = list(HEADER.unpack_from(real))
    for position in chance.sample([2, 3, 4, 5, 8, 9, 10, 11], chance.randrange(4)):
        width = (1, 1, 1, 1, 1, 1, 2, 4, 2, 2, 4, 4)[position]
        fields[position] = chance.choice((0, 1, (1 << 8 * width) - 1, chance.randrange(1 << 8 * width)))
    body = real[HEADER.size :]
    if chance.random() < 0.8:
        body = chance.randbytes(len(body))
    return HEADER.pack(*fields) + body[: chance.choice((len(body), 0, 8, 16, 100))]


def replayed(stranger: Stranger) -> bytes:
    return stranger.chance.choice(stranger.received) if stranger.received else b""


def bent(stranger: Stranger) -> bytes:
    """Return a real datagram with one wrong bit."""
    datagram = bytearray(replayed(stranger))
    if datagram:
        bit = stranger.chance.randrange(len(datagram) * 8)
        datagram[bit >> 3] ^= 1 << (bit & 7)
    return bytes(datagram)


@pytest.mark.parametrize(
    ("make", "seal"),
    [
        (junk, "--encrypt"),
        (forged, "--no-encrypt"),
        (replayed, "--encrypt"),
        (bent, "--encrypt"),
        (bent, "--no-encrypt"),
    ],
)
def test_foreign_packets_are_ignored(site: Site, make: Callable[[Stranger], bytes], seal: str) -> None:
    print(f"seed {SEED}")
    build_awkward_tree(site.source, seed=3)
    (site.source / "big").write_bytes(os.urandom(3 * MEGABYTE))
    stranger = Stranger(site)
    with stranger.sending(make):
        ended = site.sync("--rate", "8M", seal)
    assert stranger.sent > 200
    assert (ended.status, ended.stderr) == (0, "")
    assert site.all_differences() == {}
    assert {target["state"] for target in ended.report["targets"].values()} == {"done"}


def test_packets_of_an_earlier_session_do_not_matter(site: Site) -> None:
    """The same key may be used again, by hand; here the group and port are the same."""
    build_awkward_tree(site.source, seed=4)
    earlier = Stranger(site)
    with earlier.sending(lambda _: b""):
        assert site.sync("--rate", "8M").status == 0
    (site.source / "big").write_bytes(os.urandom(4 * MEGABYTE))
    stranger = Stranger(site)
    with stranger.sending(lambda each: each.chance.choice(earlier.received)):
        ended = site.sync("--rate", "8M")
    assert stranger.sent > 100
    assert ended.status == 0
    assert site.all_differences() == {}


def test_a_session_on_the_next_port_does_not_matter(site: Site, tmp_path: Path) -> None:
    """One session receives reports on the port where the other one receives data."""
    other = Site(tmp_path, ("x", "y"))
    other.group, other.port = site.group, site.port + 1
    for each in (site, other):
        each.source.mkdir()
        (each.source / "big").write_bytes(os.urandom(4 * MEGABYTE))
    runs = [each.start("--rate", "4M") for each in (site, other)]
    assert [run.wait().status for run in runs] == [0, 0]
    assert site.all_differences() == other.all_differences() == {}


LIAR = """#!/bin/sh
host=$1
shift
sh -c "$*" | while IFS= read -r line; do
    case $line in
        '{"ready"'*) cat "%s/$host" ;;
        *) printf '%%s\\n' "$line" ;;
    esac
done
"""


def test_no_address_that_a_target_reports_stops_the_others(tmp_path: Path) -> None:
    """To some of these addresses nothing can be sent, and others are not addresses."""
    reported = ["127.0.0.1", "255.255.255.255", "127.0.0.1%nowhere", "127.0.0.1%\0", "\ud800"]
    site = Site(tmp_path, [f"host{number}" for number in range(len(reported))])
    site.source.mkdir()
    (site.source / "file").write_bytes(os.urandom(MEGABYTE))
    for host, address in zip(site.hosts, reported, strict=True):
        (tmp_path / host).write_text(json.dumps({"ready": True, "address": address, "port": 9}) + "\n")
    shell = tmp_path / "shell"
    shell.write_text(LIAR % tmp_path)
    shell.chmod(0o755)
    done = site.sync("-r", str(shell))
    assert done.status == 0, done
    assert site.all_differences() == {}
