"""Admission: which catchers may take part, and which seal the session uses."""

from __future__ import annotations

from collections.abc import Iterable

from mrsync.protocol.targets.roster import Target
from mrsync.wire.messages import Hello, SealKind

TAKEOVER_S = 2.0  # while its catcher was heard that recently, a target id is taken
_PREFERENCE = (SealKind.AES_256_GCM, SealKind.HMAC_SHA256)


class Admission:
    """Compare the seals of catchers with those of this end, and choose one. seals: bit set of 1 << SealKind."""

    def __init__(self, seals: int, *, must_encrypt: bool) -> None:
        self._chosen = SealKind.NONE
        self._seals = seals & 1 << SealKind.AES_256_GCM if must_encrypt else seals

    def is_taken(self, target: Target, now: float) -> bool:
        """Return whether another process is active under this target's id."""
        return target.is_live and now - target.progress.heard_at < TAKEOVER_S

    def seal_refusal(self, hello: Hello) -> str:
        """Return why a catcher cannot open what is sealed here, or "" if it can."""
        accepted = self._seals if self._chosen is SealKind.NONE else 1 << self._chosen
        if accepted & hello.seals:
            return ""
        if accepted == 1 << SealKind.AES_256_GCM:
            return "cannot decrypt AES-256-GCM: python3-cryptography is missing or broken there"
        return "shares no seal with this session"

    def choose_seal(self, targets: Iterable[Target]) -> SealKind:
        """Choose the best seal that this end and all these targets have.

        There is one, because each target was admitted. Raise RuntimeError otherwise.
        """
        common = self._seals
        for target in targets:
            common &= target.hello.seals if target.hello else 0
        for seal in _PREFERENCE:
            if 1 << seal & common:
                self._chosen = seal
                return seal
        raise RuntimeError("targets without a common seal were admitted")
