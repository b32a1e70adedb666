"""A whole session over real multicast sockets on one host: the smallest application that both drivers can carry."""

from __future__ import annotations

import os
import random
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from mrsync.protocol.caster import Caster
from mrsync.protocol.caster_config import CasterConfig
from mrsync.protocol.catcher import Catcher
from mrsync.protocol.core.events import (
    CasterEvent,
    CatcherEvent,
    CommitGranted,
    ComparisonFinished,
    FinishGranted,
    ObjectHeld,
    SessionEnded,
)
from mrsync.protocol.receiving.catcher_config import CatcherConfig
from mrsync.transport.caster_driver import CasterDriver, CasterSecrets
from mrsync.transport.catcher_driver import CatcherDriver, CatcherSockets
from mrsync.transport.loop import Loop
from mrsync.transport.network.interface import Interface, loopback_interface
from mrsync.transport.network.multicast import granted_buffer, open_caster_socket, open_data_socket, open_reply_socket
from mrsync.transport.network.paths import Path
from mrsync.transport.pages.compression import compressions_here
from mrsync.transport.pages.slots import SLOTS
from mrsync.transport.sessions import CatcherSecrets
from mrsync.wire.geometry import Geometry, ladder
from mrsync.wire.messages import ObjectKind, SealKind
from mrsync.wire.records import ComparedRecord, NeedsRecord, ResultRecord
from mrsync.wire.seals.sealing import seals_here
from mrsync.wire.seals.signing import SEED_BYTES, Signer, can_sign
from tests.unit.protocol.builders import are_files

SECRET = bytes(range(32))
OWN_SECRETS = tuple(bytes((1 + target,)) * 32 for target in range(8))
SIGNER = Signer(bytes(range(SEED_BYTES))) if can_sign() else None
MANIFEST = b"manifest" * 1000


@dataclass
class Place:
    """Where sessions meet; every test has its own port."""

    interface: Interface = field(default_factory=loopback_interface)
    group: str = "239.255.67.92"
    port: int = field(default_factory=lambda: random.randrange(20000, 60000, 2))
    is_looped: bool = True


class CatchingApplication:
    """A catcher that needs everything and keeps it in memory, or where `write` puts it."""

    def __init__(
        self,
        place: Place,
        target: int,
        write: Callable[[int, bytes], None] | None = None,
        compressions: int | None = None,
    ) -> None:
        self.objects: dict[int, dict[int, bytes]] = {0: {}, 1: {}, 2: {}}
        self.ended: SessionEnded | None = None
        self.write = write
        self.loop = Loop()
        self.data = open_data_socket([place.interface], place.group, place.port)
        self.reply = open_reply_socket()
        self.instance = int.from_bytes(os.urandom(8), "big")
        self.catcher = Catcher(
            CatcherConfig(
                target=target,
                instance=self.instance,
                host=f"target{target}",
                version="test",
                seals=seals_here(),
                buffer_bytes=granted_buffer(self.data),
                retained_pages=SLOTS,
                compressions=compressions_here() if compressions is None else compressions,
            ),
            self.loop.now(),
        )
        self.driver = CatcherDriver(
            self.catcher,
            CatcherSockets(self.data, self.reply),
            self.loop,
            CatcherSecrets(SECRET, OWN_SECRETS[target], target, SIGNER.public if SIGNER else b""),
            write=self._write,
            on_event=self._on_event,
        )

    def run(self) -> None:
        try:
            self.driver.run()
        finally:
            self.loop.close()
            self.data.close()
            self.reply.close()

    def contents(self) -> bytes:
        pages = self.objects[ObjectKind.CONTENTS]
        return b"".join(pages[page] for page in sorted(pages))

    def _write(self, kind: int, pages: list[tuple[int, bytes, bytes]]) -> None:
        for page, data, _ in pages:
            if self.write is not None and kind == ObjectKind.CONTENTS:
                self.write(page, data)
            else:
                assert page not in self.objects[kind], "a page comes once"
                self.objects[kind][page] = data

    def _page_count(self) -> int:
        """All that the plan of this application says."""
        return int(b"".join(self.objects[ObjectKind.PLAN].values()))

    def _on_event(self, event: CatcherEvent) -> None:
        now = self.loop.now()
        if isinstance(event, ObjectHeld) and event.object is ObjectKind.MANIFEST:
            self.catcher.log(NeedsRecord(0, 1, ((0, 1),)), now)
            self.catcher.log(ComparedRecord(1, 1, 0), now)
        elif isinstance(event, ObjectHeld) and event.object is ObjectKind.PLAN:
            self.catcher.want(ObjectKind.CONTENTS, [(0, self._page_count())], now)
        elif isinstance(event, ObjectHeld):
            self.catcher.set_progress(now, ready=1)
        elif isinstance(event, CommitGranted):
            self.catcher.set_progress(now, committed=event.end)
        elif isinstance(event, FinishGranted):
            self.catcher.log(ResultRecord(1, 1, 0, 0, 0, 0), now)
        elif isinstance(event, SessionEnded):
            self.ended = event


class CastingApplication:
    """A caster of one file of `contents_bytes`; read: page of the contents -> its bytes."""

    def __init__(
        self,
        place: Place,
        targets: int,
        contents_bytes: int,
        read: Callable[[int], bytes],
        *,
        seals: int | None = None,
        mtu: int = 1500,
        **config: Any,
    ) -> None:
        self.events: list[CasterEvent] = []
        self.loop = Loop()
        self.contents_bytes = contents_bytes
        self.socket = open_caster_socket(place.interface, place.group, place.port, ttl=1, is_looped=place.is_looped)
        self.session = int.from_bytes(os.urandom(8), "big")
        self.caster = Caster(
            CasterConfig(
                session=self.session,
                steps=ladder(mtu, is_ipv6=False, target_count=targets),
                names={target: f"target{target}" for target in range(targets)},
                seals=seals_here() if seals is None else seals,
                **config,
            ),
            self.loop.now(),
        )
        self.caster.offer_manifest(len(MANIFEST), are_files)
        self._read = read
        self.driver = CasterDriver(
            self.caster,
            [self.socket],
            [Path(self.socket, (place.group, place.port))],
            secrets=CasterSecrets(self.session, SECRET, OWN_SECRETS, SIGNER),
            read=self._read_page,
            on_event=self._on_event,
            loop=self.loop,
        )

    @property
    def geometry(self) -> Geometry:
        return self.caster.geometry

    @property
    def plan(self) -> bytes:
        """How many pages there are."""
        return b"%d" % self.geometry.page_count(self.contents_bytes)

    def run(self) -> None:
        try:
            self.driver.run()
        finally:
            self.loop.close()
            self.socket.close()

    def _read_page(self, kind: int, page: int) -> bytes:
        if kind == ObjectKind.CONTENTS:
            return self._read(page)
        size = self.geometry.page_bytes
        return (MANIFEST, self.plan)[kind][page * size : (page + 1) * size]

    def _on_event(self, event: CasterEvent) -> None:
        self.events.append(event)
        if isinstance(event, ComparisonFinished):
            self.caster.offer_plan(len(self.plan), self.contents_bytes, 1, self.loop.now())


@dataclass
class Session:
    """Applications that are ready to run; `hold` runs them."""

    casting: CastingApplication
    catching: list[CatchingApplication]

    def hold(self) -> None:
        """Run the caster here and each catcher in a thread of its own, until all have ended."""
        threads = [threading.Thread(target=application.run, daemon=True) for application in self.catching]
        for thread in threads:
            thread.start()
        self.casting.run()
        for thread in threads:
            thread.join(10)
            assert not thread.is_alive()


def prepare_session(
    contents: bytes,
    targets: int,
    place: Place,
    *,
    real_buffers: Sequence[int | None] = (),
    write: Callable[[int, bytes], None] | None = None,
    expanding: Sequence[int | None] = (),
    **config: Any,
) -> Session:
    """A session that casts contents to this many catchers; real_buffers: bytes of their sockets, whatever they claim.

    expanding: the compressions that each can expand; None: what this host can.
    """
    able = [*expanding, *[None] * targets][:targets]
    catching = [CatchingApplication(place, target, write, can) for target, can in enumerate(able)]
    for application, buffer_bytes in zip(catching, real_buffers, strict=False):
        if buffer_bytes is not None:
            application.data.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes // 2)

    def page_of(page: int) -> bytes:
        size = casting.geometry.page_bytes
        return contents[page * size : (page + 1) * size]

    casting = CastingApplication(place, targets, len(contents), page_of, **config)
    return Session(casting, catching)


HMAC_ONLY = 1 << SealKind.HMAC_SHA256
