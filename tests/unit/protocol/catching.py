"""A catcher for tests: seeking or joined, and what it says and tells."""

from __future__ import annotations

from typing import Any

from mrsync.protocol.catcher import Catcher
from mrsync.protocol.core.events import CatcherEvent
from mrsync.protocol.core.sends import SendMessage
from mrsync.protocol.core.timers import TURN_S
from mrsync.protocol.receiving.catcher_config import CatcherConfig
from mrsync.wire.messages import ObjectKind, ObjectState, Probe, Report, Welcome
from tests.unit.protocol.builders import HMAC, page_header, status

INSTANCE = 100
SESSION = 7  # that of builders.status
WAIT_S = 60.0
INTERVAL_S = 0.02
CONTENTS = ObjectKind.CONTENTS
NOTHING = (ObjectState(), ObjectState(), ObjectState())


def seeking(**details: Any) -> Catcher:
    values: dict[str, Any] = {
        "target": 0,
        "instance": INSTANCE,
        "host": "host",
        "version": "1",
        "seals": HMAC,
        "buffer_bytes": 8 << 20,
        "retained_pages": 512,
        "wait_s": WAIT_S,
    }
    return Catcher(CatcherConfig(**{**values, **details}), 0.0)


def welcome(**details: Any) -> Welcome:
    return Welcome(**{"instance": INSTANCE, "counter": 1, "target": 0, "turn": 3, "hello": 1, "token": 1, **details})


def joined(*, wanted: list[tuple[int, int]] | None = None, **details: Any) -> Catcher:
    """Welcome at 0 s, status 1 heard, the first report sent; of contents, `wanted` is wanted."""
    catcher = seeking()
    catcher.receive_message(status(1, **details), 7, 0.0)
    catcher.receive_message(Probe(1, 1472), 7, 0.0)
    catcher.receive_message(welcome(hello=2), 7, 0.0)
    if wanted is not None:
        catcher.want(CONTENTS, wanted, 0.0)
    catcher.handle_timeout(3 * TURN_S)
    catcher.sends(0.0)
    events(catcher)
    return catcher


def events(catcher: Catcher) -> list[CatcherEvent]:
    found = []
    while (event := catcher.next_event()) is not None:
        found.append(event)
    return found


def said(catcher: Catcher, now: float = 0.0) -> list[Any]:
    """The messages that it wants sent, after a look at its timers."""
    catcher.handle_timeout(now)
    sends = catcher.sends(now)
    assert all(isinstance(send, SendMessage) and send.destination == SESSION for send in sends)
    return [send.message for send in sends if isinstance(send, SendMessage)]


def only_report(catcher: Catcher, now: float) -> Report:
    (message,) = said(catcher, now)
    assert isinstance(message, Report)
    return message


def write(catcher: Catcher, kind: int, page: int, tx: int, now: float = 0.0) -> None:
    assert catcher.reception.receive_page(page_header(kind, page, tx), now)
    catcher.reception.page_opened(kind, page, 0)
    catcher.pages_written(kind, [page], tx, now)
