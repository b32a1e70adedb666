from __future__ import annotations

from mrsync.transport.naps import FEW_BYTES, MESSAGES_BYTES, NAP_MAX_S, NAP_MIN_S, Naps


def test_naps_are_longer_where_pages_come_slowly_and_shorter_again_where_they_come_fast() -> None:
    naps = Naps()
    slow = [naps.after(FEW_BYTES - 1) for _ in range(4)]
    assert slow == sorted(slow)
    assert slow[-1] == NAP_MAX_S
    assert naps.after(FEW_BYTES) == NAP_MAX_S
    assert [naps.after(3 * FEW_BYTES) for _ in range(4)][-1] == NAP_MIN_S


def test_messages_alone_are_answered_soon() -> None:
    naps = Naps()
    naps.after(FEW_BYTES - 1)
    assert naps.after(MESSAGES_BYTES) == NAP_MIN_S
