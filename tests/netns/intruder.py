"""A host that has joined the group, and holds no key: what it can hear, invent and send, until it is killed.

    python intruder.py GROUP PORT ADDRESS TRICK RATE [RECORDING MASTER]

RATE: datagrams a second. RECORDING: a file of control datagrams in hexadecimal, one a line: written by the trick
"listen", else sent instead of what is heard. MASTER: its address, which the recording does not tell.
"""

from __future__ import annotations

import random
import socket
import struct
import sys
import time
from pathlib import Path

HEADER = struct.Struct(">BBBBBBHIHHII")  # docs/protocol.md, section 4
PAGE, CODED, STATUS = 0, 1, 2
CASTER = 0xFFFF
KIND_AT, PAGE_AT = 2, 10
TURN_S = 0.01
TOLD = 100  # it says each time when it has sent so many more


class Intruder:
    """Hears the group; `heard` are datagrams with the address they came from, `pages` those of kind PAGE."""

    def __init__(self, group: str, port: int, address: str) -> None:
        self.chance = random.Random(1)
        self.heard: list[bytes] = []
        self.pages: list[bytes] = []
        self.master: tuple[str, int] | None = None
        self._group = (group, port)
        own = socket.inet_aton(address)
        self._ear = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._ear.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._ear.bind((group, port))
        self._ear.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(group) + own)
        self._ear.setblocking(False)
        self._mouth = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._mouth.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, own)
        self._mouth.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 0)
        self._raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        self._raw.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, own)

    def hear(self) -> None:
        """Take in what came; of pages the last ones, of all else everything."""
        while True:
            try:
                datagram, source = self._ear.recvfrom(65536)
            except BlockingIOError:
                return
            if len(datagram) < HEADER.size or source[1] != self._group[1] - 1:
                continue
            self.master = source
            if datagram[KIND_AT] in (PAGE, CODED):
                self.pages = [*self.pages[-99:], datagram]
            elif len(self.heard) < 5000:
                self.heard.append(datagram)

    def send(self, datagram: bytes, *, to_master: bool = False) -> None:
        """To the group, or to the master's port for reports."""
        self._mouth.sendto(datagram, self.master if to_master and self.master else self._group)

    def send_as_master(self, datagram: bytes) -> None:
        """To the group, with the master's address as source."""
        assert self.master is not None
        udp = struct.pack(">HHHH", self.master[1], self._group[1], 8 + len(datagram), 0)
        source, group = socket.inet_aton(self.master[0]), socket.inet_aton(self._group[0])
        ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 0, 0, 0, 1, socket.IPPROTO_UDP, 0, source, group)
        self._raw.sendto(ip + udp + datagram, (self._group[0], 0))

    def page(self) -> bytes:
        """A packet of a page that was just cast, or comes soon, with labels as they must be and other bytes."""
        real = self.chance.choice(self.pages[-20:])
        fields = list(HEADER.unpack_from(real))
        fields[3] = self.chance.randrange(max(1, fields[4]))
        fields[PAGE_AT] = max(0, fields[PAGE_AT] + self.chance.randrange(-2, 20))
        fields[PAGE_AT + 1] += self.chance.randrange(50)
        if self.chance.random() < 0.2:
            fields[8] = self.chance.randrange(4)
        return HEADER.pack(*fields) + self.chance.randbytes(len(real) - HEADER.size)

    def bent(self, real: bytes) -> bytes:
        """One bit is wrong."""
        at = self.chance.randrange(8 * len(real))
        data = bytearray(real)
        data[at >> 3] ^= 1 << (at & 7)
        return bytes(data)

    def relabelled(self, real: bytes) -> bytes:
        """Of another kind, from another sender, of another length: reflected, mislabelled, cut, doubled."""
        fields = list(HEADER.unpack_from(real))
        fields[2] = self.chance.randrange(13)
        fields[9] = self.chance.choice((0, 1, 2, CASTER))
        body = real[HEADER.size :]
        body = self.chance.choice((body, body[: self.chance.randrange(len(body) + 1)], body + body))
        return HEADER.pack(*fields) + body[:1400]


def play(intruder: Intruder, trick: str, recording: list[bytes]) -> None:
    """Send one datagram by this trick, if enough was heard for it."""
    if trick in ("forged", "spoofed"):
        if intruder.pages:
            page = intruder.page()
            intruder.send(page) if trick == "forged" else intruder.send_as_master(page)
        return
    sample = recording or intruder.heard + intruder.pages
    if not sample or intruder.master is None:
        return
    real = intruder.chance.choice(sample)
    datagram = {"bent": intruder.bent, "relabelled": intruder.relabelled}.get(trick, bytes)(real)
    how = intruder.chance.randrange(3)
    if how == 0:
        intruder.send_as_master(datagram)
    else:
        intruder.send(datagram, to_master=how == 1)


def main() -> None:
    group, port, address, trick, rate, *more = sys.argv[1:]
    intruder = Intruder(group, int(port), address)
    recording: list[bytes] = []
    if len(more) == 2:
        recording = [bytes.fromhex(line) for line in Path(more[0]).read_text().split()]
        intruder.master = (more[1], int(port) - 1)
    print("ready", flush=True)
    sent, began = 0, time.monotonic()
    while True:
        time.sleep(TURN_S)
        intruder.hear()
        if trick == "listen":
            Path(more[0]).write_text("\n".join(datagram.hex() for datagram in intruder.heard))
            continue
        for _ in range(int((time.monotonic() - began) * int(rate)) - sent):
            play(intruder, trick, recording)
            sent += 1
            if sent % TOLD == 0:
                print("sent", sent, flush=True)


if __name__ == "__main__":
    main()
