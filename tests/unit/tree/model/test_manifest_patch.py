"""Manifest patches carry all that a manifest says of a file; hostile ones are refused."""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable
from pathlib import Path

import pytest

from mrsync.errors import ProtocolDataError
from mrsync.tree.fs.owners import localize_owners
from mrsync.tree.model.failure import Failure
from mrsync.tree.model.manifest import Manifest
from mrsync.tree.model.manifest_patch import ManifestPatch, decode_again, encode_again, unplanned
from mrsync.tree.model.plan import Plan
from mrsync.tree.model.policy import Policy
from mrsync.tree.source.planning import build_plan
from mrsync.tree.source.rescan import rescan
from mrsync.tree.source.scan import scan
from mrsync.tree.source.selection import Selection

YEAR_9999_NS = 253_370_764_800_000_000_007
POLICY = Policy(checksum=True, xattrs=True)


def changed(tree: Path) -> tuple[Manifest, ManifestPatch, Plan]:
    """The manifest of files a, b, c as it was; the amendment and the plan after b was changed in all respects."""
    for name in "abc":
        (tree / name).write_text(name)
    found = scan(os.fsencode(tree), POLICY)
    before = Manifest.decode(found.manifest.encode())
    (tree / "b").write_text("longer")
    (tree / "b").chmod(0o640)
    os.utime(tree / "b", ns=(0, YEAR_9999_NS))
    os.setxattr(tree / "b", "user.new", b"value")
    looked = rescan(found, Selection(), [2])
    return before, looked.patch, build_plan(looked.scan, [(2, 3)])


def test_targets_and_master_agree_about_patched_files(tmp_path: Path) -> None:
    before, patch, plan = changed(tmp_path)
    _, decoded = decode_again(encode_again(patch, plan), before, localize_owners)
    now = scan(os.fsencode(tmp_path), POLICY).manifest
    for name in ("names", "modes", "uids", "gids", "sizes", "mtimes", "far_times", "digests"):
        assert getattr(before, name) == getattr(now, name), name
    told = [before.attributes[number] for number in before.attribute_numbers]
    assert told == [now.attributes[number] for number in now.attribute_numbers]
    assert (list(decoded.entries), decoded.contents_bytes) == ([2], len("longer"))


def test_far_times_become_near_ones_again(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    os.utime(tmp_path / "a", ns=(0, YEAR_9999_NS))
    found = scan(os.fsencode(tmp_path))
    os.utime(tmp_path / "a", ns=(0, 7))
    rescan(found, Selection(), [1])
    assert (found.manifest.mtime_ns(1), found.manifest.far_times) == (7, {})


def _other_order(patch: ManifestPatch) -> ManifestPatch:
    return patch._replace(entries=array("I", [2, 2]))


def _outside(patch: ManifestPatch) -> ManifestPatch:
    return patch._replace(entries=array("I", [99]))


def _a_directory(patch: ManifestPatch) -> ManifestPatch:
    return patch._replace(entries=array("I", [0]))


def _other_policy(patch: ManifestPatch) -> ManifestPatch:
    patch.rows.policy = POLICY._replace(deletes=False)
    return patch


@pytest.mark.parametrize("spoil", [_other_order, _outside, _a_directory, _other_policy])
def test_invalid_patches_are_refused(tmp_path: Path, spoil: Callable[[ManifestPatch], ManifestPatch]) -> None:
    before, patch, plan = changed(tmp_path)
    data = encode_again(spoil(patch), plan)
    with pytest.raises(ProtocolDataError, match="second plan is damaged"):
        decode_again(data, before, localize_owners)


def test_needed_files_that_are_not_planned_are_reported(tmp_path: Path) -> None:
    before, _, plan = changed(tmp_path)
    assert unplanned(before, plan, [(1, 3)]) == [Failure(116, b"a", "replace")]
