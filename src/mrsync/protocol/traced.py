"""TracedCaster: a Caster that reports its inputs and outputs, for the debug log.

A state machine without I/O is fully described by what goes in and what comes out, so a subclass that overrides these
few methods sees every packet and phase. A run without a debug log uses `Caster` itself and pays nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import Enum
from typing import Any

from mrsync.protocol.caster import Caster
from mrsync.protocol.caster_config import CasterConfig
from mrsync.protocol.core.events import CasterEvent, PhaseEntered
from mrsync.protocol.core.sends import Address, Send, SendCoded, SendPage
from mrsync.ranges import RangeSet
from mrsync.wire.messages import Knock, Message

Trace = Callable[[str, dict[str, object]], None]  # (kind of line, its fields, as JSON has them)

# Secrets, which must not get into a log, and the session, which is in every line of it.
_OMITTED = frozenset({"key", "token", "session"})


class TracedCaster(Caster):
    """Caster that calls trace("phase" | "event" | "sent" | "received", fields) for everything that happens."""

    def __init__(self, config: CasterConfig, now: float, trace: Trace) -> None:
        self._trace = trace
        super().__init__(config, now)

    def receive_message(self, message: Message, source: Address, now: float) -> None:
        self._trace("received", {"what": type(message).__name__.lower(), **_described(message)})
        super().receive_message(message, source, now)

    def receive_knock(self, knock: Knock, source: Address) -> None:
        self._trace("received", {"what": "knock", **_described(knock)})
        super().receive_knock(knock, source)

    def sends(self, now: float) -> list[Send]:
        return self._traced(super().sends(now))

    def announce_reading(self, generation: int, tx: int) -> list[Send]:
        return self._traced(super().announce_reading(generation, tx))

    def next_event(self) -> CasterEvent | None:
        event = super().next_event()
        if isinstance(event, PhaseEntered):
            self._trace("phase", {"phase": event.phase.name.lower()})
        elif event is not None:
            self._trace("event", {"what": type(event).__name__, **_described(event)})
        return event

    def _traced(self, sends: list[Send]) -> list[Send]:
        for send in sends:
            self._trace("sent", _sent(send))
        return sends


def _sent(send: Send) -> dict[str, object]:
    """Return the fields of a "sent" line. packets: indices within the page, or "all"."""
    if isinstance(send, SendPage):
        return {
            "what": "page",
            "object": send.object.name.lower(),
            "page": send.page,
            "packets": list(_bits(send.mask)) or "all",
            "tx": send.tx,
        }
    if isinstance(send, SendCoded):
        combinations = _plain(send.combinations)
        return {"what": "coded", "object": send.object.name.lower(), "combinations": combinations, "tx": send.tx}
    is_unicast = send.destination is not None
    return {"what": type(send.message).__name__.lower(), "is_unicast": is_unicast, **_described(send.message)}


def _described(value: Any) -> dict[str, object]:
    """Return the fields of a named tuple in types of JSON, without secrets."""
    return {name: _plain(each) for name, each in value._asdict().items() if name not in _OMITTED}


def _plain(value: object) -> object:
    """Convert a value to types of JSON. Bytes become their number, because logs need no contents."""
    if isinstance(value, Enum):
        return value.name.lower()
    if isinstance(value, (bytes, bytearray)):
        return len(value)
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return _described(value)
    if isinstance(value, (tuple, list, RangeSet)):
        return [_plain(each) for each in value]
    return value


def _bits(mask: int) -> Iterable[int]:
    """Yield the numbers of the bits that are set."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low
