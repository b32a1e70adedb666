"""Seals: which seal a session uses, given what its catchers can open."""

from __future__ import annotations

from collections.abc import Iterable

from mrsync.protocol.targets.roster import Target
from mrsync.wire.messages import Hello, SealKind

_PREFERENCE = (SealKind.AES_256_GCM, SealKind.HMAC_SHA256)


class Seals:
    """Compare the seals of catchers with those of this end, and choose one. seals: bit set of 1 << SealKind."""

    def __init__(self, seals: int, *, must_encrypt: bool) -> None:
        self._chosen = SealKind.NONE
        self._seals = seals & 1 << SealKind.AES_256_GCM if must_encrypt else seals

    def refusal(self, hello: Hello) -> str:
        """Return why a catcher cannot open the seal of this session, or "" if it can."""
        accepted = self._seals if self._chosen is SealKind.NONE else 1 << self._chosen
        if accepted & hello.seals:
            return ""
        if accepted == 1 << SealKind.AES_256_GCM:
            return "cannot decrypt AES-256-GCM: python3-cryptography is missing or broken there"
        return "shares no seal with this session"

    def choose(self, targets: Iterable[Target]) -> SealKind:
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
