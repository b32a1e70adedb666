"""All UDP datagrams that a host sends and gets, recorded; and sent again by another one, over and over.

    python replayer.py record FILE
    python replayer.py replay FILE RATE GROUP PORT

A recording has one IPv4 packet a line, in hexadecimal. Every packet is sent from the address of this host, and with its
own source address; to where it went, and to the group, whose members may have other ports now. RATE: packets of the
recording a second.
"""

from __future__ import annotations

import itertools
import socket
import struct
import sys
import time
from pathlib import Path

IP_BYTES = 20
FRAGMENTS = 0x3FFF  # the bits of an IPv4 header that make it one of several
SOURCE = slice(12, 16)
DESTINATION = slice(16, 20)
UDP_CHECKSUM = slice(IP_BYTES + 6, IP_BYTES + 8)  # zero means none
UDP_PORT = slice(IP_BYTES + 2, IP_BYTES + 4)  # of the destination
ANY = bytes(4)  # the kernel fills in this host's address
BATCH = 20


def record(path: Path) -> None:
    """Write down what passes, until killed."""
    tap = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0003))
    tap.bind(("eth0", 0x0003))
    tap.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    print("ready", flush=True)
    with path.open("w", buffering=1) as file:
        while True:
            packet, address = tap.recvfrom(1 << 16)
            if address[1] != 0x0800 or packet[9] != socket.IPPROTO_UDP:
                continue
            if not struct.unpack_from(">H", packet, 6)[0] & FRAGMENTS:
                print(packet.hex(), file=file)


def replay(path: Path, rate: int, group: str, port: int) -> None:
    """Send all packets in their order, and say so after each round, until killed."""
    packets = [bytes.fromhex(line) for line in path.read_text().split()]
    members = socket.inet_aton(group), port.to_bytes(2, "big")
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    print("ready", flush=True)
    for turn in itertools.count(1):
        for number, packet in enumerate(packets):
            if number % BATCH == 0:
                time.sleep(BATCH / rate)
            places = {(packet[DESTINATION], packet[UDP_PORT]), members}
            for source, place in itertools.product((ANY, packet[SOURCE]), places):
                copy = bytearray(packet)
                copy[SOURCE], (copy[DESTINATION], copy[UDP_PORT]) = source, place
                copy[UDP_CHECKSUM] = bytes(2)
                raw.sendto(copy, (socket.inet_ntoa(place[0]), 0))
        print("round", turn, flush=True)


def main() -> None:
    way, path, *more = sys.argv[1:]
    if way == "record":
        record(Path(path))
    else:
        rate, group, port = more
        replay(Path(path), int(rate), group, int(port))


if __name__ == "__main__":
    main()
