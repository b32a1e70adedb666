"""Manifest patches: new rows for files that changed after the scan, with the plan to cast them."""

from __future__ import annotations

import errno
from array import array
from collections.abc import Callable, Iterable
from itertools import islice
from operator import lt

from mrsync.tree.model.attributes import UNKNOWN
from mrsync.tree.model.failure import Failure
from mrsync.tree.model.manifest import DIGEST_BYTES, REGULAR, Manifest
from mrsync.tree.model.packing import Packer, Unpacker
from mrsync.tree.model.plan import Plan
from mrsync.tuples import NamedTuple

MAGIC = b"mrsync amendment\x02"


class ManifestPatch(NamedTuple):
    """New rows for regular files of a manifest.

    entries: their entries, ascending. patch: a manifest whose entries 1, 2, ... are these rows, with placeholder names.
    """

    entries: array[int]
    rows: Manifest

    def apply(self, manifest: Manifest) -> None:
        """Update a manifest. The patch and the manifest must both have the source's owners, or both this host's."""
        rows = self.rows
        digests = bytearray(manifest.digests)
        for at, entry in enumerate(self.entries, 1):
            for name in ("modes", "uids", "gids", "sizes", "mtimes"):
                getattr(manifest, name)[entry] = getattr(rows, name)[at]
            manifest.far_times.pop(entry, None)
            if at in rows.far_times:
                manifest.far_times[entry] = rows.far_times[at]
            if digests:
                digests[entry * DIGEST_BYTES : (entry + 1) * DIGEST_BYTES] = rows.digest(at)
            if manifest.policy.keeps_attributes:
                number = rows.attribute_numbers[at]
                known = UNKNOWN if number == UNKNOWN else manifest.attributes.number(rows.attributes[number])
                manifest.attribute_numbers[entry] = known
        manifest.digests = bytes(digests)


def encode_again(patch: ManifestPatch, plan: Plan) -> bytes:
    """Return the bytes of object 3; the plan must belong to the amended manifest."""
    packer = Packer(MAGIC)
    packer.number(len(patch.entries))  # [patch-count]
    packer.column(patch.entries)  # [patch-entries]
    packer.object(patch.rows.encode())  # [patch-rows]
    packer.object(plan.encode())  # [patch-plan]
    return packer.packed()


def decode_again(data: bytes, manifest: Manifest, localize: Callable[[Manifest], None]) -> tuple[ManifestPatch, Plan]:
    """Bring a target's manifest up to date. Raise ProtocolDataError for anything hostile.

    data: the bytes of object 3. localize: turns the owners of the patch into ids of this host.
    """
    unpacker = Unpacker(data, MAGIC, "second plan")
    count = unpacker.number(len(manifest))
    entries = unpacker.column("I", count)
    rows = Manifest.decode(unpacker.object())
    plan_bytes = unpacker.object()
    unpacker.end()
    if not all(map(lt, entries, islice(entries, 1, None))) or (entries and entries[-1] >= len(manifest)):
        raise unpacker.error("its entries are not in order")
    if len(rows) != count + 1 or rows.policy != manifest.policy:
        raise unpacker.error("it is not of this manifest")
    if any(manifest.kind(entry) != REGULAR or rows.kind(at) != REGULAR for at, entry in enumerate(entries, 1)):
        raise unpacker.error("it amends something that is not a file")
    localize(rows)
    patch = ManifestPatch(entries, rows)
    patch.apply(manifest)
    return patch, Plan.decode(plan_bytes, manifest)


def unplanned(manifest: Manifest, plan: Plan, needs: Iterable[tuple[int, int]]) -> list[Failure]:
    """Return failures for needed files missing in a second plan: names that no target requested in the first round.

    needs: ranges [a, b) of entries.
    """
    entries = [entry for first, end in needs for entry in range(first, end) if plan.file_of(entry) < 0]
    return [Failure(errno.ESTALE, manifest.path(entry), "replace") for entry in entries]
