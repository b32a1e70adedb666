"""A session for tests of the caster: the real core, and targets that say what a test wants."""

from __future__ import annotations

from typing import Any

from mrsync.protocol.caster import Caster
from mrsync.protocol.caster_config import CasterConfig
from mrsync.protocol.core.events import CasterEvent
from mrsync.protocol.core.sends import Send, SendMessage
from mrsync.protocol.core.states import RosterState
from mrsync.protocol.traced import Trace, TracedCaster
from mrsync.wire.formats.record_codec import encode_record
from mrsync.wire.messages import ObjectKind, Phase, Status
from mrsync.wire.records import ComparedRecord, LogRecord, NeedsRecord, ResultRecord
from tests.unit.protocol.builders import HMAC, PAGE, STEPS, are_files, hello, report

ACK_WAIT_S = 60.0
RESULT = ResultRecord(0, 0, 0, 0, 0, 0)


class Session:
    """A caster, and targets that say what the test wants."""

    def __init__(self, targets: int = 2, trace: Trace | None = None, **details: Any) -> None:
        values: dict[str, Any] = {
            "session": 7,
            "steps": STEPS,
            "names": {target: f"n{target}" for target in range(targets)},
            "seals": HMAC,
            "ack_wait_s": ACK_WAIT_S,
        }
        config = CasterConfig(**{**values, **details})
        self.caster = TracedCaster(config, 0.0, trace) if trace else Caster(config, 0.0)
        self.now = 0.0
        self.heard: list[CasterEvent] = []
        self.sent: list[Send] = []
        self._said: dict[int, dict[str, Any]] = {}
        self._logs: dict[int, int] = {}

    def pump(self, seconds: float = 0.0) -> None:
        """Do what a driver does, as often as the core asks for it, for this many seconds."""
        end = self.now + seconds
        while True:
            self.sent += self.caster.sends(self.now)
            while (event := self.caster.next_event()) is not None:
                self.heard.append(event)
            when = self.caster.next_timeout()
            if when is None or when > end:
                self.now = end
                return
            self.now = max(self.now, when)
            self.caster.handle_timeout(self.now)

    def hello(self, target: int, **details: Any) -> None:
        self.caster.receive_message(hello(target, **details), f"address {target}", self.now)
        self.pump()

    def report(self, target: int, *records: LogRecord, **details: Any) -> None:
        """The target's last report with these changes, and the next piece of its log."""
        said = self._said.setdefault(target, {"counter": 1})
        said.update(details, counter=said["counter"] + 1)
        log = b"".join(map(encode_record, records))
        offset = self._logs.get(target, 0)
        self._logs[target] = offset + len(log)
        pieces = {"log_offset": offset, "log_bytes": log, "log_end": offset + len(log), **details}
        said.setdefault("tx_seen", 0)
        self.caster.receive_message(report(target, **{**said, **pieces}), f"address {target}", self.now)
        self.pump()

    def gathered(self) -> Session:
        """Everyone is there, the manifest has one page."""
        self.caster.offer_manifest(PAGE, are_files)
        for target in self.caster.roster:
            self.hello(target.id)
        self.pump()
        return self

    def compared(self) -> Session:
        self.gathered()
        for target in list(self.caster.roster):
            self.report(
                target.id, NeedsRecord(0, 9, ((target.id, target.id + 2),)), ComparedRecord(2, 9, 0), frontier=1
            )
        return self

    def planned(self, files: int = 5, pages: int = 10) -> Session:
        """The plan is cast, everyone has understood it."""
        self.compared()
        self.caster.offer_plan(PAGE, pages * PAGE, files, self.now)
        self.pump()
        for target in list(self.caster.roster.live):
            self.report(target.id, active=ObjectKind.CONTENTS, frontier=0)
        return self

    def messages(self, kind: type) -> list[Any]:
        return [send.message for send in self.sent if isinstance(send, SendMessage) and isinstance(send.message, kind)]

    def phase(self) -> Phase:
        return self.caster.phase

    def status(self) -> Status:
        last: Status = self.messages(Status)[-1]
        return last

    def states(self) -> list[RosterState]:
        return [target.state for target in self.caster.roster]
