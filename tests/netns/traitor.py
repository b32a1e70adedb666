"""multicatcher for hosts of a lab, one of which is a traitor: it takes part, and lies with all that it knows.

    traitor.py --launched NAME

TRAITOR: the name of that host. FORGERIES: how many messages it makes. LIES_AS_RELAY: it lies as a relay, and makes this
file. RELAY_LIE: how, by the names in RELAY_LIES.
TOLD: the file in which it says how many messages and pages it has made. FLOOD: what it sends
that many of, as fast as it can, instead of lies of all kinds.
"""

from __future__ import annotations

import os
import random
import socket
import struct
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

# ruff: noqa: E402
sys.path[:0] = [str(Path(__file__).parents[2] / "src"), str(Path(__file__).parents[2])]

from mrsync.cli import main
from mrsync.run.catch import catch as catching
from mrsync.run.settings import CatchSettings
from mrsync.transport.network.multicast import open_data_socket
from mrsync.transport.network.paths import Address
from mrsync.transport.network.routes import interfaces_towards_master
from mrsync.transport.pages.bursts import BurstSender
from mrsync.wire.formats.session import ControlCodec, Rejection, open_status
from mrsync.wire.geometry import Geometry
from mrsync.wire.header import Header, pack_header, page_headers, session_tag
from mrsync.wire.limits import CASTER_ID, CONTROL_BYTES_MAX, HEADER_BYTES, NO_SESSION, TERM_BYTES
from mrsync.wire.messages import (
    Ack,
    Assign,
    Claim,
    CommitSpan,
    Digests,
    Ending,
    Farewell,
    Feed,
    Feeding,
    Hello,
    Hop,
    Kind,
    Knock,
    Message,
    ObjectKind,
    ObjectState,
    Peer,
    Phase,
    Probe,
    Report,
    SealKind,
    Status,
    Welcome,
)
from mrsync.wire.seals.keys import SessionKeys, TargetKeys
from mrsync.wire.seals.sealing import PageSealer
from mrsync.wire.seals.signing import Signer
from tests.unit.protocol.builders import hello, report

TURN = 50  # messages between two looks at what the group says
PAGES_PER_TURN = 2
PAGES_MIN = 40
HOPS_S = 0.02
REPEATED = 8
DENIES_S = 15.0
INSTANCES: list[int] = []  # of this process, as it says hello
PEERS: dict[int, Peer] = {}  # of this process, by target
RECORDED: list[bytes] = []  # control messages that it has sent or opened
HEARD: list[tuple[SessionKeys, Status]] = []  # the last status
LINKS = 8  # a master numbers them from 1 on
COUNTER = count(1)


class Traitor:
    """What one member of a session can make of the group's secret and its own."""

    def __init__(self, settings: CatchSettings) -> None:
        self.chance = random.Random(1)
        self.messages = self.pages = 0
        assert settings.master is not None
        self._settings = settings
        self._others = [number for number in range(3) if number != settings.target]
        self._master = (settings.master, settings.network.port - 1)
        self._group = (settings.network.group or "239.255.67.92", settings.network.port)
        interface = interfaces_towards_master(settings.master)[0]
        self._ear = open_data_socket([interface], *self._group)
        self._mouth = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        for each in (self._mouth, self._raw):
            each.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(interface.address))
            each.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 0)
        self._codecs: list[ControlCodec] = []
        self._knocks = ControlCodec(SessionKeys.derive(settings.secret, NO_SESSION))
        self._keys: SessionKeys | None = None
        self._last: Status | None = None

    def run(self, forgeries: int, told: Path) -> None:
        """Lie until this many messages were made. Print how many there are."""
        while self.messages < forgeries or self.pages < PAGES_MIN:
            self._hear()
            if self._last is None or self._keys is None:
                time.sleep(0.001)
                continue
            for _ in range(TURN // 16):
                for message in self._lies(self._last):
                    self._tell(message)
            for _ in range(PAGES_PER_TURN):
                self._cast_page(self._last, self._keys)
            tell_count(told, self.messages, self.pages)

    def disturb_hops(self, told: Path) -> None:
        """Lie about the links of others, in all their names, and repeat all that was said; for as long as it lasts."""
        while True:
            self._hear()
            time.sleep(HOPS_S)
            for peer in list(PEERS.values()):
                address = (socket.inet_ntoa(peer.address[-4:]), peer.port)
                for other in self._others:
                    self._disturb_hop(peer, address, other)
                for datagram in self.chance.sample(RECORDED, min(len(RECORDED), REPEATED)):
                    self._send_as(self.chance.choice([self._master, *self._peer_addresses()]), address, datagram)
                    self._mouth.sendto(datagram, self.chance.choice([address, self._master]))
                tell(told)

    def _peer_addresses(self) -> list[Address]:
        return [(socket.inet_ntoa(peer.address[-4:]), peer.port) for peer in PEERS.values()]

    def _disturb_hop(self, peer: Peer, address: Address, other: int) -> None:
        """Say all that `other`, or the master, could say to this peer or of it."""
        link, last = self.chance.randrange(1, LINKS), self._last
        assert last is not None
        named = peer._replace(target=other, link=link, key=self.chance.randbytes(32))
        for codec in self._codecs:
            codec.set_peers(named, named)
            counter, instance = 10**6 + next(COUNTER), self.chance.choice((self.chance.getrandbits(64), *INSTANCES))
            lies: list[Message] = [
                Assign(instance, counter, peer.target, 10**6, 1200, named, named),
                Feed(peer.target, counter, last.tx + 50, other, link, ObjectKind.CONTENTS, 10**6, 1, True, 1200),
                Claim(peer.target, instance, counter, other, link, 1400, ObjectKind.CONTENTS, last.tx, last.tx, 0, 0,
                      1 << 20, 0, 0, 10**4, tuple((3 * at, 2, 0) for at in range(300))),
                Hop(other, instance, counter, 10**6, Feeding.STARVED, 0, 0, 10**6, 0),
            ]  # fmt: skip
            for message in lies:
                datagram = codec.encode(message)
                self._mouth.sendto(datagram, self._master)
                for source in (self._master, *self._peer_addresses()):
                    self._send_as(source, address, datagram)
                self.messages += 1

    def flood(self, kind: str, count: int, told: Path) -> None:
        """Send this many messages of one kind, each as costly for its receiver as possible."""
        make = getattr(self, f"_make_{kind}")
        while self.messages < count:
            self._hear()
            if self._last is None or self._keys is None or not INSTANCES:
                time.sleep(0.001)
                continue
            for _ in range(TURN):
                destination, datagram = make(self._last, self._keys)
                if destination is not None:
                    self._mouth.sendto(datagram, destination)
                else:
                    self._send_as_master(datagram)
            self.messages += TURN
            tell_count(told, self.messages, 0)

    def _make_reports(self, last: Status, keys: SessionKeys) -> tuple[Address | None, bytes]:
        """Authentic ones of its own, with as many needs as there is room for."""
        needs = tuple((3 * at, 2, 0) for at in range(400))
        details = {"active": last.active, "tx_seen": last.tx, "needs_first": 0, "needs_end": 1200, "needs": needs}
        own, counter = self._settings.target, 10**6 + next(COUNTER)
        return self._master, self._codecs[1].encode(report(own, counter, instance=INSTANCES[-1], **details))

    def _make_hellos(self, last: Status, keys: SessionKeys) -> tuple[Address | None, bytes]:
        own = self._settings.target
        return self._master, self._codecs[1].encode(hello(own, instance=INSTANCES[-1], counter=10**6 + next(COUNTER)))

    def _make_knocks(self, last: Status, keys: SessionKeys) -> tuple[Address | None, bytes]:
        knock = Knock(self._settings.target, self.chance.getrandbits(64), next(COUNTER), CONTROL_BYTES_MAX)
        return self._master, self._knocks.encode(knock)

    def _make_statuses(self, last: Status, keys: SessionKeys) -> tuple[Address | None, bytes]:
        """With a wrong signature, which takes longest to find."""
        return None, self._forger.encode(last._replace(counter=last.counter + 10**6 + next(COUNTER)))

    def _make_digests(self, last: Status, keys: SessionKeys) -> tuple[Address | None, bytes]:
        entries = ((0, self.chance.randbytes(32)),) * 31
        return None, self._forger.encode(Digests(10**6 + next(COUNTER), last.active, 0, entries))

    def _make_packets(self, last: Status, keys: SessionKeys) -> tuple[Address | None, bytes]:
        """Single packets of many pages and readings, and coded ones."""
        chance, is_coded = self.chance, self.chance.random() < 0.5
        packets = chance.randint(1, last.target_count) if is_coded else last.packets - chance.randrange(3)
        header = Header(
            kind=Kind.CODED if is_coded else Kind.PAGE,
            packet_index=0 if is_coded else chance.randrange(last.packets),
            packet_count=packets,
            object=last.active,
            segment=0,
            session_tag=session_tag(keys.session),
            generation=chance.choice((0, last.generation)),
            sender=CASTER_ID,
            page=chance.randrange(500),
            tx=last.tx + chance.randrange(20),
        )
        extra = TERM_BYTES * (packets - 1) if is_coded else 0
        return None, pack_header(header) + chance.randbytes(last.slice_bytes + extra)

    def _hear(self) -> None:
        """Take the newest status of the session."""
        while True:
            try:
                datagram = self._ear.recv(65536)
            except BlockingIOError:
                break
            opened = open_status(self._settings.secret, datagram)
            if isinstance(opened, Rejection):
                continue
            self._note(*opened)
        if HEARD:  # it may be deaf to the group
            self._note(*HEARD[-1])

    def _note(self, keys: SessionKeys, status: Status) -> None:
        self._last = status
        if self._keys is None:
            own = TargetKeys(dict.fromkeys(range(8), self._settings.own_secret), keys.session)
            self._forger = ControlCodec(keys, signer=Signer(bytes(32)))
            self._codecs = [ControlCodec(keys, target=self._settings.target)]
            self._codecs.append(ControlCodec(keys, own, self._settings.target))
            self._keys = keys

    def _lies(self, last: Status) -> Iterator[Message]:
        other, instance = self.chance.choice(self._others), self.chance.getrandbits(64)
        later = last._replace(counter=last.counter + 1000, tx=last.tx + 50)
        yield later._replace(phase=self.chance.choice((Phase.ABORTED, Phase.DONE, Phase.WITHDRAWING, Phase.FINISHING)))
        yield later._replace(commit=CommitSpan(0, 1 << 20))
        yield later._replace(objects=(ObjectState(1, 1),) * len(last.objects))
        yield Digests(10**6, ObjectKind(last.active), self.chance.randrange(500), ((0, self.chance.randbytes(32)),) * 8)
        yield Probe(10**6, 1400)
        yield Farewell(instance, 10**6, other, self.chance.choice(list(Ending)), "a lie")
        yield Ack(instance, 10**6, other, 1 << 20)
        yield Welcome(instance, 10**6, other, 0, 1, 1)
        yield hello(other, instance=instance, counter=10**6)
        yield report(other, 10**6, instance=instance, frontier=10**6, ready=10**6, committed=10**6, needs_end=10**6)

    def _tell(self, message: Message) -> None:
        for codec in self._codecs:
            datagram = codec.encode(message)
            if isinstance(message, (Hello, Report)):
                self._mouth.sendto(datagram, self._master)
            else:
                self._send_as_master(datagram)
            self.messages += 1

    def _cast_page(self, last: Status, keys: SessionKeys) -> None:
        """Cast a whole page with a good seal and other bytes, and a coded packet of it."""
        if last.seal is SealKind.NONE or last.phase not in (Phase.COMPARING, Phase.PLANNING, Phase.CASTING):
            return
        geometry, state = Geometry(last.slice_bytes, last.packets), last.objects[last.active]
        page = self.chance.randrange(max(0, state.pages_sent - 2), state.pages_sent + 20)
        if page >= geometry.page_count(state.size_bytes):
            return
        count, tag, tx = geometry.packet_count(state.size_bytes, page), session_tag(keys.session), last.tx + 1
        data = self.chance.randbytes(geometry.page_length(state.size_bytes, page))
        sealed = PageSealer(keys, last.seal).seal(data, object=last.active, page=page, generation=0, count=count)
        headers = page_headers(session_tag=tag, object=last.active, page=page, generation=0, count=count, tx=tx)
        for index in range(count):
            body = sealed[index * last.slice_bytes : (index + 1) * last.slice_bytes]
            self._send_as_master(bytes(headers[index * HEADER_BYTES : (index + 1) * HEADER_BYTES]) + body)
        coded = Header(Kind.CODED, 0, 1, last.active, 0, tag, 0, CASTER_ID, page, tx)
        self._send_as_master(pack_header(coded) + self.chance.randbytes(last.slice_bytes))
        self.pages += 1

    def _send_as_master(self, datagram: bytes) -> None:
        """Send to the group, with the master's address as source."""
        self._send_as(self._master, self._group, datagram)

    def _send_as(self, source: Address, destination: Address, datagram: bytes) -> None:
        """Send with another one's address as source."""
        udp = struct.pack(">HHHH", source[1], destination[1], 8 + len(datagram), 0)
        addresses = socket.inet_aton(source[0]), socket.inet_aton(destination[0])
        ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 0, 0, 0, 1, socket.IPPROTO_UDP, 0, *addresses)
        self._raw.sendto(ip + udp + datagram, (destination[0], 0))


def tell_count(told: Path, messages: int, pages: int) -> None:
    """Write what was made so far. The file is whole at any time, because this process may be killed at any time."""
    written = told.with_suffix(".new")
    written.write_text(f"{messages} {pages}")
    written.replace(told)


def betray() -> None:
    """Make this process a traitor."""
    honest = catching.catch

    def catch(settings: CatchSettings) -> int:
        traitor = Traitor(settings)

        def lie() -> None:
            if os.environ.get("RELAY_LIE") == "forges":
                traitor.disturb_hops(Path(os.environ["LIES_AS_RELAY"]))
            if kind := os.environ.get("FLOOD"):
                traitor.flood(kind, int(os.environ["FORGERIES"]), Path(os.environ["TOLD"]))
                return
            traitor.run(int(os.environ["FORGERIES"]), Path(os.environ["TOLD"]))

        threading.Thread(target=lie, daemon=True).start()
        return honest(settings)

    encode, decode, set_peers = ControlCodec.encode, ControlCodec.decode, ControlCodec.set_peers

    def note(codec: ControlCodec, message: Message) -> bytes:
        if isinstance(message, Hello):
            INSTANCES.append(message.instance)
        datagram = encode(codec, message)
        if threading.current_thread() is threading.main_thread():
            RECORDED.append(datagram)
        return datagram

    def record(codec: ControlCodec, datagram: Any) -> Message | Rejection:
        message = decode(codec, datagram)
        if not isinstance(message, Rejection):
            RECORDED.append(bytes(datagram))
        if isinstance(message, Status):
            HEARD[:] = [(codec._keys, message)]
        return message

    def note_peers(codec: ControlCodec, *peers: Peer | None) -> None:
        set_peers(codec, *peers)
        if threading.current_thread() is threading.main_thread():
            PEERS.update({peer.target: peer for peer in peers[:2] if peer is not None})

    catching.catch = catch
    ControlCodec.encode = note  # type: ignore[method-assign,assignment]
    ControlCodec.decode = record  # type: ignore[method-assign,assignment]
    ControlCodec.set_peers = note_peers  # type: ignore[method-assign,assignment]
    if os.environ.get("LIES_AS_RELAY"):
        RELAY_LIES[os.environ["RELAY_LIE"]](Path(os.environ["LIES_AS_RELAY"]))


def bend_pages(told: Path) -> None:
    """Pass on other bytes than were received, with a good seal. told: made when that happens."""
    sealers: list[PageSealer] = []
    prepare, send_page = PageSealer.__init__, BurstSender.send_page

    def remember(sealer: PageSealer, *arguments: Any) -> None:
        prepare(sealer, *arguments)
        sealers.append(sealer)

    def bend(sender: BurstSender, slices: Any, *, tx: int, mask: int = 0, **labels: Any) -> bool:
        named = {name: labels[name] for name in ("object", "page", "generation")}
        labelled, sealed = {**named, "count": len(slices)}, b"".join(map(bytes, slices))
        data = sealers[-1].open(sealed, **labelled)
        if data is not None:
            size = len(slices[0])
            sealed = sealers[-1].seal(bytes([data[0] ^ 1]) + data[1:], **labelled)
            slices = [sealed[at : at + size] for at in range(0, len(sealed), size)]
            told.touch()
        return send_page(sender, slices, tx=tx, mask=mask, **labels)

    PageSealer.__init__ = remember  # type: ignore[method-assign,assignment]
    BurstSender.send_page = bend  # type: ignore[method-assign,assignment]


def tell(told: Path) -> None:
    """Make this file, until the sandbox forbids it."""
    with suppress(OSError):
        told.touch()


def withhold_some(told: Path) -> None:
    """Pass every page on but some, which are said to have left, and those often that came before."""
    send_page = BurstSender.send_page
    old: list[tuple[Any, dict[str, Any]]] = []

    def withhold(sender: BurstSender, slices: Any, *, tx: int, mask: int = 0, **labels: Any) -> bool:
        tell(told)
        if labels["page"] % 9 == 8:
            return True
        old.append(([bytes(each) for each in slices], labels))
        again, said = old[len(old) // 2]
        send_page(sender, again, tx=tx, **said)
        return send_page(sender, slices, tx=tx, mask=mask, **labels)

    BurstSender.send_page = withhold  # type: ignore[method-assign,assignment]


def say_that_nothing_comes(told: Path) -> None:
    """For DENIES_S pass nothing on, and report that nothing came, and that there is work."""
    encode, send_page = ControlCodec.encode, BurstSender.send_page
    until = time.monotonic() + DENIES_S

    def deny(codec: ControlCodec, message: Message) -> bytes:
        if isinstance(message, (Report, Claim)) and time.monotonic() < until:
            message = message._replace(active=ObjectKind.MANIFEST, frontier=0, needs_first=0, needs_end=0, needs=())
            if isinstance(message, Report):
                message = message._replace(activity=message.counter)
        return encode(codec, message)

    def keep(sender: BurstSender, slices: Any, *, tx: int, mask: int = 0, **labels: Any) -> bool:
        if time.monotonic() >= until:
            return send_page(sender, slices, tx=tx, mask=mask, **labels)
        tell(told)
        return True

    ControlCodec.encode = deny  # type: ignore[method-assign,assignment]
    BurstSender.send_page = keep  # type: ignore[method-assign,assignment]


def pass_on(told: Path) -> None:
    """Be a good relay; it is the thread in `Traitor.disturb_hops` that lies."""


RELAY_LIES = {
    "bends": bend_pages,
    "withholds": withhold_some,
    "denies": say_that_nothing_comes,
    "forges": pass_on,
}

if __name__ == "__main__":
    if sys.argv[-1] == os.environ.get("TRAITOR"):
        betray()
    sys.exit(main.multicatcher())
