"""Neighbourhood: where targets are, and the chains that follow from it, which cross each border of networks once."""

from __future__ import annotations

from itertools import groupby
from typing import Callable

from mrsync.protocol.core.sends import Address
from mrsync.protocol.targets.roster import Target

IPV4_MAPPED = bytes(10) + b"\xff\xff"

Endpoint = tuple[bytes, int]  # address as 16 bytes, port
Locate = Callable[[Address], Endpoint]  # where other targets reach the one at an address of the driver's


class Neighbourhood:
    """The places and networks of targets whose addresses are verified."""

    def __init__(self, locate: Locate) -> None:
        self._locate = locate

    def place(self, target: Target) -> Endpoint:
        """Return where other targets reach this one."""
        return self._locate(target.path.verified)

    def network(self, target: Target) -> bytes:
        """Return the presumed network of an address: /24 of IPv4, /64 of IPv6."""
        address = self.place(target)[0]
        return address[:15] if address.startswith(IPV4_MAPPED) else address[:8]

    def share_out(self, deaf: list[Target], heads: list[Target]) -> list[list[Target]]:
        """Return chains of deaf targets, which are sorted, behind targets that receive the group; one at least."""
        chains: list[list[Target]] = []
        left = sorted(heads, key=self.place)
        for network, group in groupby(deaf, key=self.network):
            self._share_out(list(group), left, network, chains)
        return chains

    def _share_out(self, deaf: list[Target], heads: list[Target], network: bytes, chains: list[list[Target]]) -> None:
        """Assign the deaf targets of a network to heads there that receive the group, else to a near one."""
        local = [head for head in heads if self.network(head) == network]
        if not heads:
            min(chains, key=len).extend(deaf)
            return
        for part in parts(deaf, max(1, min(len(local), len(deaf)))):
            head = max(local or heads, key=lambda head: _alike(self.place(part[0]), self.place(head)))
            heads.remove(head)
            if local:
                local.remove(head)
            chains.append([head, *part])


def parts(targets: list[Target], count: int) -> list[list[Target]]:
    """Return a number of parts of about the same length, in order."""
    return [targets[at * len(targets) // count : (at + 1) * len(targets) // count] for at in range(count)]


def _alike(one: Endpoint, other: Endpoint) -> int:
    """Return the length in bytes of the common beginning of two addresses."""
    return next((at for at, (left, right) in enumerate(zip(one[0], other[0])) if left != right), len(one[0]))
