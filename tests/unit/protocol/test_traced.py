"""TracedCaster: what is traced of a session, in types of JSON and without secrets."""

from __future__ import annotations

import json

from mrsync.protocol.core.events import CasterEvent, PhaseEntered, TargetJoined
from mrsync.protocol.core.sends import SendCoded, SendMessage
from mrsync.protocol.traced import TracedCaster
from mrsync.wire.messages import Assign, Knock, ObjectKind, Peer, Welcome
from tests.unit.protocol.session import RESULT, Session

Traced = list[tuple[str, dict[str, object]]]


def traced(targets: int = 1) -> tuple[Session, Traced]:
    lines: Traced = []
    return Session(targets, trace=lambda kind, fields: lines.append((kind, fields))), lines


def phases(lines: Traced) -> list[object]:
    return [fields["phase"] for kind, fields in lines if kind == "phase"]


def test_phases_messages_and_pages_are_traced_in_order() -> None:
    session, lines = traced()
    session.planned()
    assert phases(lines) == ["comparing", "planning", "casting"]
    assert ("event", {"what": "TargetJoined", "target": 0}) in lines
    heard = [fields["what"] for kind, fields in lines if kind == "received"]
    assert heard[0] == "hello"
    assert set(heard[1:]) == {"report"}
    pages = [fields for kind, fields in lines if kind == "sent" and fields["what"] == "page"]
    assert pages[0] == {"what": "page", "object": "manifest", "page": 0, "packets": "all", "tx": pages[0]["tx"]}
    assert {page["object"] for page in pages} == {"manifest", "plan", "contents"}
    assert lines.index(("sent", pages[0])) < lines.index(("phase", {"phase": "planning"}))
    json.dumps(lines)


def test_a_repair_names_the_packets_that_were_lost() -> None:
    session, lines = traced()
    session.planned()
    tx = session.status().tx
    session.pump(1.0)
    needs = ((0, 1, 0b101),)
    session.report(0, active=ObjectKind.CONTENTS, tx_seen=tx + 9, tx_done=tx + 9, needs_end=9, needs=needs)
    session.pump(1.0)
    claimed = [fields["needs"] for kind, fields in lines if kind == "received" and fields["what"] == "report"]
    assert claimed[-1] == [[0, 1, 5]]
    assert any(fields.get("packets") == [0, 2] for kind, fields in lines if kind == "sent")


def test_tracing_changes_nothing() -> None:
    plain, (session, lines) = Session(2), traced(2)
    for each in (plain, session):
        each.planned()
        each.report(0, RESULT, active=ObjectKind.CONTENTS)
        each.pump(5.0)
    assert session.sent == plain.sent
    assert session.heard == plain.heard
    assert len(lines) > len(session.sent)


def test_no_secret_is_traced() -> None:
    session, lines = traced()
    caster = session.caster
    assert isinstance(caster, TracedCaster)
    parent = Peer(1, 5, bytes(16), 70, key=b"k" * 32)
    assign = Assign(100, 1, 0, 1, 1400, parent=parent, child=None)
    caster._traced([SendMessage(Welcome(1, 2, 3, 4, 5, token=123456789), "address"), SendMessage(assign, "address")])
    welcome, assigned = (fields for _, fields in lines)
    assert "token" not in welcome
    assert welcome["is_unicast"] is True
    assert assigned["parent"] == {"target": 1, "link": 5, "address": 16, "port": 70}


def test_coded_packets_and_knocks_are_traced() -> None:
    session, lines = traced()
    caster = session.caster
    assert isinstance(caster, TracedCaster)
    caster._traced([SendCoded(ObjectKind.CONTENTS, (((3, 1), (4, 2)),), 9)])
    caster.receive_knock(Knock(0, 100, 1, 500), "address")
    coded = {"what": "coded", "object": "contents", "combinations": [[[3, 1], [4, 2]]], "tx": 9}
    assert lines[0] == ("sent", coded)
    assert lines[1][1]["what"] == "knock"


def test_events_are_passed_on() -> None:
    session, _ = traced()
    session.gathered()
    events: list[type[CasterEvent]] = [type(event) for event in session.heard]
    assert events[:2] == [TargetJoined, PhaseEntered]
