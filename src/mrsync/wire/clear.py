"""The clear part of a control message."""

from __future__ import annotations

from typing import NamedTuple


class Clear(NamedTuple):
    """What a control message says outside its body: header fields and the prefix behind the header."""

    kind: int
    sender: int  # CASTER_ID, or the target that speaks
    counter: int
    tx: int  # STATUS only, else 0
    instance: int  # HELLO, REPORT, ECHO, KNOCK: whose; WELCOME, ACK, FAREWELL: to whom; else 0
