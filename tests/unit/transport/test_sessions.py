"""Sessions that a catcher hears, and where their casters are."""

from __future__ import annotations

from mrsync.transport.sessions import SILENT_S, CasterAddress, CatcherSecrets, HeardSessions
from mrsync.wire.formats.session import ControlCodec, Rejection
from mrsync.wire.messages import Ack, Ending, Farewell, Status
from mrsync.wire.seals.keys import SessionKeys, TargetKeys
from tests.unit.protocol.builders import status

SECRET, OWN = bytes(range(32)), bytes(range(100, 132))
MASTER, OTHER = ("10.0.0.1", 8887), ("10.0.0.9", 8887)


def status_of(session: int, counter: int = 1) -> Status:
    return status(counter)._replace(session=session)


def codec(session: int, own: bytes = b"") -> ControlCodec:
    """The master's, of a session with target 3."""
    return ControlCodec(SessionKeys.derive(SECRET, session), TargetKeys({3: own}, session) if own else None)


def test_sessions_of_one_secret_are_kept_apart() -> None:
    heard = HeardSessions(CatcherSecrets(SECRET), (), lambda session: True)
    for session in (1 << 40, 2 << 40):
        found = heard.open(codec(session).encode(status_of(session)))
        assert not isinstance(found, Rejection)
        assert found[0] is heard.find(session)
        assert heard.open(codec(session).encode(Ack(7, 2, 3, 9))) == (found[0], Ack(7, 2, 3, 9))
    assert heard.find(3 << 40) is None
    assert heard.find(1 << 40 | 1) is None, "the same tag, but another session"
    assert heard.rejected == 0


def test_unauthentic_datagrams_are_counted() -> None:
    heard = HeardSessions(CatcherSecrets(SECRET), (), lambda session: True)
    datagram = codec(1 << 40).encode(status_of(1 << 40))
    assert heard.open(datagram[:-1] + b"x") is Rejection.FORGED
    assert heard.open(b"junk") is Rejection.STRANGE
    heard.open(datagram)
    assert heard.open(datagram[:-1] + b"x") is Rejection.FORGED
    assert heard.rejected == 3


def test_sessions_that_do_not_matter_are_forgotten() -> None:
    wanted = {1 << 40}
    heard = HeardSessions(CatcherSecrets(SECRET), (), lambda session: session in wanted)
    for session in (1 << 40, 2 << 40, 3 << 40):
        heard.open(codec(session).encode(status_of(session)))
    assert [heard.find(session << 40) is not None for session in (1, 2, 3)] == [True, False, True]


def test_a_target_with_its_own_secret_rejects_messages_of_others() -> None:
    """A target can make these with the group's secret and its own; the master seals them by the target's own."""
    heard = HeardSessions(CatcherSecrets(SECRET, OWN, 3), (), lambda session: True)
    heard.open(codec(1 << 40).encode(status_of(1 << 40)))
    for member in (codec(1 << 40), codec(1 << 40, bytes(32))):
        for message in (Ack(7, 2, 3, 9), Farewell(7, 3, 3, Ending.DONE, "")):
            assert heard.open(member.encode(message)) is Rejection.FORGED
    found = heard.open(codec(1 << 40, OWN).encode(Ack(7, 2, 3, 9)))
    assert not isinstance(found, Rejection)


def test_the_first_address_stays_while_it_speaks() -> None:
    source = CasterAddress(())
    source.receive_from(MASTER, 0.0)
    source.receive_from(OTHER, 0.5)
    source.receive_from(MASTER, 0.9)
    source.receive_from(OTHER, 0.9 + SILENT_S)
    assert source.address == MASTER
    source.receive_from(OTHER, 0.91 + SILENT_S)
    assert source.address == OTHER


def test_an_address_of_the_master_is_believed_at_once() -> None:
    source = CasterAddress(("10.0.0.1",))
    source.receive_from(OTHER, 0.0)
    source.receive_from(MASTER, 0.1)
    source.receive_from(OTHER, 0.2)
    assert source.address == MASTER


def test_an_old_status_shows_no_address() -> None:
    heard = HeardSessions(CatcherSecrets(SECRET), (), lambda session: True)
    found = heard.open(codec(1 << 40).encode(status_of(1 << 40, 5)))
    assert not isinstance(found, Rejection)
    session = found[0]
    assert session.receive_status(status_of(1 << 40, 5), MASTER, 0.0)
    assert not session.receive_status(status_of(1 << 40, 4), OTHER, 9.0)
    assert session.source.address == MASTER
    assert not session.receive_status(status_of(1 << 40, 5), MASTER, 9.0)
    assert session.receive_status(status_of(1 << 40, 6), OTHER, 9.5)
    assert session.source.address == MASTER
