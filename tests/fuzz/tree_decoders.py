"""Decoders of manifests, plans, journals and records, with those of a small tree to begin with."""

from __future__ import annotations

import os
import tempfile
from array import array
from pathlib import Path

from mrsync.tree.delta.blocks import FileBlocks, decode_blocks, encode_blocks
from mrsync.tree.model import acl, packing
from mrsync.tree.model.columns import NameColumn
from mrsync.tree.model.manifest import Manifest
from mrsync.tree.model.manifest_patch import ManifestPatch, decode_again, encode_again
from mrsync.tree.model.plan import Plan
from mrsync.tree.model.policy import Policy
from mrsync.tree.record.grid import Grid
from mrsync.tree.record.record import ProvenFile
from mrsync.tree.record.record import Record as KeptRecord
from mrsync.tree.source.scan import scan
from mrsync.tree.staging.journal import HEAD, MAGIC
from mrsync.tree.staging.journal_reader import JournalReader
from tests.fuzz.decoder import Decoder

PAGE = 100


def tree_decoders() -> dict[str, Decoder]:
    folder = Path(tempfile.mkdtemp(prefix="mrsync-fuzz-"))
    for name in ("a", "d/b", "d/e/f"):
        (folder / name).parent.mkdir(exist_ok=True, parents=True)
        (folder / name).write_bytes(name.encode() * 50)
    (folder / "link").symlink_to("a")
    os.link(folder / "a", folder / "d" / "hard")
    policies = [Policy(), Policy(checksum=True, xattrs=True, acls=True, devices=True, rules=("+ *.c",))]
    scanned = [scan(bytes(folder), policy).manifest for policy in policies]
    manifest = scanned[0]
    files = [entry for entry in range(len(manifest)) if manifest.has_contents(entry)]
    plan = Plan(manifest, [(entry, entry + 1) for entry in files], {0: [(0, 10), (30, 10)]})
    blocks = encode_blocks({0: FileBlocks(bytes(10), bytes(8)), 1: FileBlocks(b"x" * 20, b"y" * 16)})
    plan.blocks = blocks
    again = encode_again(ManifestPatch(array("I", [files[0]]), _patch(manifest, files[0])), plan)
    record = KeptRecord(manifest.encode(), 5)
    for grid in (Grid(PAGE, 1000, 32, "sha256"), Grid(PAGE, 999, 18, "1 2 3")):
        record.extend(
            [ProvenFile(len(record) + 1, grid, 150, 300, [], bytes(grid.proof_length(grid.divide(150, 300))))]
        )
    record.extend([ProvenFile(3, Grid(PAGE, 20, 32, "x"), 0, 20, [(0, 5), (10, 15)], bytes(32))])
    journal = journal_of(bytes(60))
    access = acl.pack(
        [
            (acl.USER_OBJ, 7, acl.NO_ID),
            (acl.USER, 5, 1000),
            (acl.GROUP_OBJ, 5, acl.NO_ID),
            (acl.MASK, 7, acl.NO_ID),
            (acl.OTHER, 0, acl.NO_ID),
        ]
    )
    return {
        "manifest": Decoder(Manifest.decode, [each.encode() for each in scanned]),
        "plan": Decoder(lambda data: Plan.decode(data, manifest), [plan.encode()]),
        "blocks": Decoder(lambda data: _read_blocks(data, manifest, files), [blocks]),
        "second plan": Decoder(
            lambda data: decode_again(data, Manifest.decode(manifest.encode()), lambda _: None), [again]
        ),
        "policy": Decoder(Policy.decode, [each.encode() for each in policies]),
        "record": Decoder(lambda data: list(KeptRecord.decode(data).files()), [b"".join(record.parts())]),
        "journal": Decoder(lambda data: JournalReader(data, b"tag", b"itself", b"boot"), [journal]),
        "ACL": Decoder(_read_acl, [access], answers=(ValueError,)),
    }


def _patch(manifest: Manifest, entry: int) -> Manifest:
    patch = Manifest(manifest.policy)
    patch.names = NameColumn([b"", b"x"])
    for name in ("modes", "uids", "gids", "sizes", "mtimes"):
        column = getattr(manifest, name)
        setattr(patch, name, array(column.typecode, [column[0], column[entry]]))
    patch.parents, patch.directories, patch.child_starts = array("I", [0, 0]), array("I", [0]), array("I", [1, 2])
    return patch


def journal_of(notes: bytes) -> bytes:
    """A journal of two files, of 1 and 2 bytes."""
    packer = packing.Packer(MAGIC)
    for blob in (b"tag", b"itself", b"boot"):
        packer.blob(blob)
    packer.number(2)
    packer.column(array("I", [0, 1]))
    packer.strings([b"one", b"two"])
    packer.column(array("I", [0, 1]))
    packer.number(2)
    packer.strings([b"", b"d"])
    for typecode in "qqqQ":
        packer.column(array(typecode, [1, 2]))
    head = packer.packed()
    return HEAD.pack(len(head)) + head + notes


def _read_blocks(data: bytes, manifest: Manifest, files: list[int]) -> None:
    plan = Plan(manifest, [(entry, entry + 1) for entry in files], {})
    plan.blocks = data
    decode_blocks(plan, PAGE)


def _read_acl(data: bytes) -> None:
    acl.translated(acl.with_mode(acl.without_mode(data) or data, 0o640), {1000: 5}, {})
