from __future__ import annotations

import pytest

from mrsync.protocol.events import SessionEnded
from mrsync.wire.messages import Ending, Phase
from tests.loopback.session import HMAC_ONLY, Place, hold_session

CONTENTS = b"".join(number.to_bytes(8, "big") for number in range(1_000_000))


@pytest.mark.parametrize("targets", [1, 4])
@pytest.mark.parametrize("seals", [None, HMAC_ONLY], ids=["best", "hmac"])
def test_every_catcher_gets_every_byte(targets: int, seals: int | None) -> None:
    casting, catching = hold_session(CONTENTS, targets, Place(), seals=seals)
    assert casting.caster.phase is Phase.DONE
    for application in catching:
        assert application.contents() == CONTENTS
        assert application.ended == SessionEnded(Ending.DONE, "")
