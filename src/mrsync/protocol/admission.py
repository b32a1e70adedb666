"""Who may take part, and which seal all of them can open."""

from __future__ import annotations

from mrsync.protocol.roster import Target
from mrsync.wire.messages import Hello, SealKind

TAKEOVER_S = 2.0  # a number whose catcher was heard that recently is taken


class Admission:
    """Judges hellos; knows what this end can seal and whether encryption is insisted on."""

    def __init__(self, seals: int, must_encrypt: bool) -> None:
        self._seals = seals
        self._must_encrypt = must_encrypt

    def refusal(self, target: Target, hello: Hello, seal: SealKind, *, is_open: bool, now: float) -> str:
        """Why this hello is refused; empty when it is welcome."""
        if target.is_live and now - target.heard_at < TAKEOVER_S:
            return f"another catcher answers as number {target.id} already"
        if not is_open:
            if target.is_live:
                return "came back as another process after the plan was fixed"
            return "came after the plan was fixed"
        needed = self._needed(seal)
        if not needed & hello.seals:
            if needed == 1 << SealKind.AES_256_GCM:
                return "cannot decrypt AES-256-GCM: python3-cryptography is missing there"
            return "shares no seal with this session"
        return ""

    def _needed(self, seal: SealKind) -> int:
        if seal is not SealKind.NONE:
            return 1 << seal
        if self._must_encrypt:
            return 1 << SealKind.AES_256_GCM
        return self._seals

    def choose(self, common_seals: int) -> SealKind:
        """The best seal that both ends have; every welcomed target shares at least one."""
        for seal in (SealKind.AES_256_GCM, SealKind.HMAC_SHA256):
            if 1 << seal & self._seals & common_seals:
                return seal
        raise RuntimeError("targets without a common seal were admitted")
