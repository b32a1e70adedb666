"""Tell the user what happens during a cast: warnings, which the report repeats, notices, and the ends of targets."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from mrsync.protocol.core.states import RosterState, TargetTrigger
from mrsync.protocol.targets.roster import Target
from mrsync.remote.folding import fold
from mrsync.run.observer import Notice, Observer
from mrsync.run.rendezvous import Rendezvous
from mrsync.run.settings import LOCAL, CastSettings
from mrsync.transport.pages.bursts import BurstStatistics
from mrsync.transport.pages.zstd import has_zstd
from mrsync.tree.model.failure import printable
from mrsync.wire.messages import Compression, SealKind
from mrsync.wire.seals.sealing import seals_here
from mrsync.wire.seals.signing import can_sign

NAMED_MAX = 8  # targets that are told one by one when they join, and hosts with another version
_NO_CRYPTOGRAPHY = "the Python package cryptography is missing or broken on"
_CURE = "; install python3-cryptography there, or accept it with --no-encrypt"


class Notices:
    """Turn events into sentences, and combine equal ones of many targets.

    is_interrupted: the run was ended on this host, so the ends of targets are not worth telling.
    """

    def __init__(self, settings: CastSettings, rendezvous: Rendezvous, observer: Observer) -> None:
        self.warnings: list[str] = []
        self.ends_shown: set[str] = set()  # targets whose end and its reason the user has seen
        self.is_interrupted = False
        self._told_unsent = ""  # the reason
        self._other_versions: set[str] = set()  # addresses of hosts whose mrsync is not of this version
        self._settings = settings
        self._rendezvous = rendezvous
        self._observer = observer
        # (state, reason) -> targets that could not take part and were not shown yet
        self._absent: dict[tuple[RosterState, str], list[Target]] = {}
        self._joined: list[str] = []  # targets that take part and were not shown yet

    def greet(self, missing: str) -> None:
        """Tell where the session takes place, and warn of problems. missing: socket options that this host lacks."""
        is_chosen = len(self._rendezvous.interfaces) == 1 or self._settings.network.interface
        self.notice(1 if is_chosen else 0, self._rendezvous.describe(self._settings.targets))
        for warning in self._rendezvous.warnings:
            self.warn(warning)
        if missing:
            self.notice(1, f"this host lacks {missing}; the session works all the same")

    def warn(self, text: str) -> None:
        self.warnings.append(text)
        self.notice(0, text)

    def notice(self, level: int, text: str, host: str | None = None) -> None:
        """Show a notice. level, text, host: see Notice."""
        self._observer.on_notice(Notice(level, text, host))

    def on_target_joined(self, name: str) -> None:
        """Tell that a target takes part; of many, in one line as soon as all are known that do."""
        self._joined.append(name)
        if len(self._settings.targets) <= NAMED_MAX:
            self._tell_joined()

    def on_target_lost(self, target: Target) -> None:
        """Tell the end of a target at once, unless it could not take part: many of those may have the same reason."""
        if target.state in (RosterState.UNREACHABLE, RosterState.REFUSED):
            self._absent.setdefault((target.state, self._common(target)), []).append(target)
        else:
            self._tell_end(f"{target.state.name.lower()}: {target.reason}", [target.name])

    def tell_unsent(self, sent: BurstStatistics) -> None:
        """Warn, as a target is lost, if this host could not send all: this may be why. Tell each reason once."""
        if sent.last_failure != self._told_unsent:
            self._told_unsent = sent.last_failure
            self.warn(f"sends failed on this host ({sent.failures}): {sent.last_failure}")

    def warn_of_version(self, address: str) -> None:
        """Warn of a host with another version of mrsync, once. Anyone can send such packets, so only few are told."""
        if address not in self._other_versions and len(self._other_versions) < NAMED_MAX:
            self._other_versions.add(address)
            self.warn(
                f"{address} runs a version of mrsync that cannot work with this one; install the same on all hosts"
            )

    def tell_roll(self) -> None:
        """Tell which targets turned out to take part, and not to, since the last call."""
        self._tell_joined()
        for (state, common), targets in self._absent.items():
            reason = common if len(targets) > 1 else targets[0].reason
            self._tell_end(f"{state.name.lower()}: {reason}", [target.name for target in targets])
            self.tell_routed([target.name for target in targets if target.ended_by is TargetTrigger.ABSENCE])
        self._absent.clear()

    def tell_routed(self, deaf: Collection[str]) -> None:
        """Warn of those of the `deaf` targets that are behind a router and out of reach of the TTL."""
        if routed := [name for name in self._rendezvous.routed_names(self._settings.targets) if name in deaf]:
            self.warn(
                f"{fold(routed)}: behind a router, which passes no multicast with TTL {self._rendezvous.ttl} (-T)"
            )

    def tell_seal(self, seal: SealKind, targets: Iterable[Target]) -> None:
        """Warn if some host cannot encrypt, and the user neither required nor disabled encryption."""
        if self._settings.is_encrypted is not None or seal is SealKind.AES_256_GCM:
            return
        poor = [target.name for target in targets if target.hello and not can_encrypt(target.hello.seals)]
        who = fold(poor) if can_encrypt(seals_here()) else "this host"
        self.warn(f"pages are authenticated but not encrypted: {_NO_CRYPTOGRAPHY} {who}{_CURE}")

    def tell_compression(self, chosen: Compression | None, targets: Iterable[Target]) -> None:
        """Tell how pages are compressed and, if not by zstd though that was asked for, why."""
        if chosen is None or self._settings.compression != "auto":
            return
        if chosen is Compression.ZSTD:
            self.notice(1, "pages are compressed by zstd")
            return
        zstd = 1 << Compression.ZSTD
        poor = [target.name for target in targets if target.hello and not target.hello.compressions & zstd]
        who = "this host" if not has_zstd() else fold(poor) if poor else "targets that may join later"
        self.notice(1, f"pages are compressed by zlib: there is no zstd on {who}")

    def tell_trust(self) -> None:
        """Tell why targets could be deceived by another target."""
        if self._settings.remote_shell in (None, LOCAL):
            return  # the key file decides, or all catchers are processes of one user
        if not self._settings.own_secrets:
            self.notice(1, "targets trust each other: one secret serves all (--trust-targets, --topology)")
            return
        if not can_sign():
            self.notice(1, f"pages and messages are not signed: {_NO_CRYPTOGRAPHY} this host")

    def _common(self, target: Target) -> str:
        """Return the reason of a target's end with DEST as it was given, so that {host} in it keeps none apart."""
        own, given = printable(self._settings.dest_for(target.name)), printable(self._settings.dest)
        return target.reason.replace(own, given) if own != given else target.reason

    def _tell_joined(self) -> None:
        if self._joined:
            self.notice(1, "joined", fold(self._joined))
            self._joined = []

    def _tell_end(self, text: str, names: list[str]) -> None:
        self.notice(2 if self.is_interrupted else 0, text, fold(names))
        if not self.is_interrupted:
            self.ends_shown.update(names)


def can_encrypt(seals: int) -> bool:
    """Return whether a seal that encrypts is in this bit set of 1 << SealKind."""
    return bool(seals >> SealKind.AES_256_GCM & 1)
