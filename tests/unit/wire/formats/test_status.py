"""Status: the limits of every field that a catcher computes with."""

from __future__ import annotations

import pytest

from mrsync.wire.formats.status import decode_status, encode_status
from mrsync.wire.limits import CONTROL_BODY_MAX, EXCEPTIONS_MAX, TARGETS_MAX
from mrsync.wire.messages import CommitSpan, ObjectKind, ObjectState, Phase, SealKind, Status

STATUS = Status(
    session=1,
    counter=2,
    tx=3,
    phase=Phase.CASTING,
    seal=SealKind.HMAC_SHA256,
    slice_bytes=1446,
    packets=44,
    objects=(ObjectState(1, 2), ObjectState(3, 4), ObjectState(5, 6), ObjectState(7, 8), ObjectState(9, 10)),
    active=ObjectKind.CONTENTS,
    target_count=2,
    plan_files=100,
    monitors=(1, 0),
    report_pages=16,
    report_interval_us=20000,
    is_poll=True,
    commit=CommitSpan(10, 20, ((10, 12), (12, 13), (19, 20))),
    ack_wait_s=60,
)
MANY = tuple((2 * index, 2 * index + 1) for index in range(EXCEPTIONS_MAX + 1))


def test_the_largest_status_fits() -> None:
    largest = STATUS._replace(commit=CommitSpan(0, 1000, MANY[:EXCEPTIONS_MAX]), monitors=(1, 2, 3))
    clear, body = encode_status(largest)
    assert len(body) <= CONTROL_BODY_MAX
    assert decode_status(clear, body) == largest


def test_exceptions_may_lie_ahead() -> None:
    status = STATUS._replace(commit=CommitSpan(10, 20, ((11, 12), (29, 30)), ahead=30))
    assert decode_status(*encode_status(status)) == status


@pytest.mark.parametrize("changes", [{"monitors": (1, 2, 3, 4)}, {"commit": CommitSpan(0, 1000, MANY)}])
def test_more_than_a_status_holds_is_our_own_mistake(changes: dict[str, tuple[int, ...]]) -> None:
    with pytest.raises(ValueError, match="more monitors or commit exceptions"):
        encode_status(STATUS._replace(**changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changes",
    [
        {"packets": 0},
        {"packets": 65, "slice_bytes": 100},
        {"slice_bytes": 16, "packets": 1},  # a page of nothing but its seal
        {"slice_bytes": 0},
        {"slice_bytes": 1500},  # 44 of them are no burst
        {"phase": 8},
        {"seal": 3},
        {"active": 5},
        {"is_poll": 2},
        {"monitors": (TARGETS_MAX,)},
        {"target_count": TARGETS_MAX + 1},
        {"commit": CommitSpan(2, 1)},
        {"commit": CommitSpan(10, 20, ((9, 11),))},
        {"commit": CommitSpan(10, 20, ((19, 21),))},
        {"commit": CommitSpan(10, 20, ((11, 11),))},
        {"commit": CommitSpan(10, 20, ((11, 13), (12, 14)))},
        {"commit": CommitSpan(10, 20, ((25, 27),), ahead=26)},
        {"commit": CommitSpan(10, 9, ahead=26)},
    ],
    ids=str,
)
def test_messages_that_no_caster_sends_are_refused(changes: dict[str, int]) -> None:
    clear, body = encode_status(STATUS._replace(**changes))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"limits|not a valid"):
        decode_status(clear, body)


def test_monitors_that_are_not_there_are_zero() -> None:
    clear, body = encode_status(STATUS)
    at = body.index(bytes.fromhex("02 0001 0000 0000"))
    with pytest.raises(ValueError, match="limits"):
        decode_status(clear, body[: at + 6] + b"\x01" + body[at + 7 :])
    with pytest.raises(ValueError, match="limits"):
        decode_status(clear, body[:at] + b"\x04" + body[at + 1 :])
