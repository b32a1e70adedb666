"""Tell the user how targets are reached: which are served by unicast, and which do not receive large packets."""

from __future__ import annotations

from collections.abc import Iterator

from mrsync.protocol.targets.chains.relays import Relays
from mrsync.protocol.targets.reach import AS_ASKED, NEVER_HEARD, Reach
from mrsync.protocol.targets.roster import Roster, Target
from mrsync.remote.folding import fold


class ReachNotices:
    """Build warnings about paths to targets, each only once."""

    def __init__(self, reach: Reach, relays: Relays, roster: Roster, group: str) -> None:
        self._relays = relays
        self._reach = reach
        self._roster = roster
        self._group = group
        self._told: set[str] = set()
        self._is_gathered = False

    def when_gathered(self) -> Iterator[str]:
        """Yield warnings for the start of the comparison. Equal ones are combined."""
        self._is_gathered = True
        everyone = [target for target in self._roster.live if target.path.why_unicast == NEVER_HEARD]
        heads = self._relays.chains.heads
        deaf = [target.name for target in everyone if target.path.is_direct and target.id not in heads]
        if self._relays.absentees.barred:
            names = [target.name for target in everyone if target.id in self._relays.absentees.barred]
            yield f"targets cannot forward pages to {fold(names)} (UDP between targets is blocked by a firewall there?)"
        self._told.update(deaf)
        if deaf:
            yield (
                f"{fold(deaf)}: served by unicast, because the group {self._group} is not received there (multicast is"
                " blocked by a firewall, a switch without a querier, a VPN or a WLAN on the way, or arrives at another"
                " interface; mrsync doctor finds out which)"
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

    def chains(self) -> Iterator[str]:
        """Yield sentences about which targets forward pages to which others."""
        for chain in self._relays.chains:
            if len(chain) > 1:
                first, *others = self._relays.chains.groups(chain)
                ways = [f"{'>>' if len(group) > 1 else '>'} {fold([one.name for one in group])}" for group in others]
                way = " ".join([first[0].name, *ways])
                yield (
                    f"pages are forwarded, because not all targets receive the group {self._group} (mrsync doctor finds"
                    f" out why): {way}"
                )

    def when_rerouted(self, target: Target) -> str:
        """Return the warning for a target whose path changed during the session, or "" if the user already knows."""
        if target.name in self._told and not target.path.is_unicast:
            self._told.remove(target.name)
            return f"{target.name} receives the group again, and is served by multicast"
        is_known = not self._is_gathered or not target.path.is_copied or target.path.why_unicast == AS_ASKED
        if is_known or target.name in self._told:
            return ""
        self._told.add(target.name)
        return f"{target.name} is served by unicast from now on: {target.path.why_unicast}"
