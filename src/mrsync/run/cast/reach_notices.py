"""What the user is told of how targets are reached: who is served by unicast, and whom large packets do not reach."""

from __future__ import annotations

from collections.abc import Iterator

from mrsync.protocol.reach import AS_ASKED, NEVER_HEARD, Reach
from mrsync.protocol.roster import Roster, Target
from mrsync.remote.targets import fold


class ReachNews:
    """Sentences to warn with, each once."""

    def __init__(self, reach: Reach, roster: Roster, group: str) -> None:
        self._reach = reach
        self._roster = roster
        self._group = group
        self._told: set[str] = set()

    def when_gathered(self) -> Iterator[str]:
        """What is known when the comparison begins, equal findings folded."""
        deaf = [target.name for target in self._roster.live if target.path.why_unicast == NEVER_HEARD]
        self._told.update(deaf)
        if deaf:
            yield (
                f"served by unicast, for the group {self._group} is not heard there: {fold(deaf)} (multicast is blocked"
                " on the way by a firewall, a switch without a querier, a VPN or a WLAN, or comes by another interface;"
                " mrsync doctor tells which)"
            )
        narrow: dict[int, list[str]] = {}
        for target in self._roster.live:
            mtu = self._reach.reached_mtu(target)
            if 0 < mtu < self._reach.tried_mtu:
                narrow.setdefault(mtu, []).append(target.name)
        for mtu, names in sorted(narrow.items()):
            yield (
                f"packets of {self._reach.tried_mtu} bytes do not reach {fold(names)}, those of {mtu} do: all are sent"
                f" packets of {self._reach.step.mtu} bytes (a tunnel on the way, or jumbo frames on one side only)"
            )

    def when_rerouted(self, target: Target) -> str:
        """What to say of a target whose path has changed while the session goes on; nothing if it is known."""
        if target.name in self._told and not target.path.is_unicast:
            self._told.remove(target.name)
            return f"{target.name} hears the group again, and is served by multicast"
        is_known = not self._reach.is_fixed or not target.path.is_unicast or target.path.why_unicast == AS_ASKED
        if is_known or target.name in self._told:
            return ""
        self._told.add(target.name)
        return f"{target.name} is served by unicast from now on: {target.path.why_unicast}"
