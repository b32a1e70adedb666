"""Who keeps which attributes; the rest is tested against rsync in tests/disk/test_options.py."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mrsync.tree.fs.handles import entry_in, pinned
from mrsync.tree.fs.xattrs import XattrSelection
from mrsync.tree.model.policy import Policy
from tests.oracle import can_keep

NAMES = (
    b"user.a",
    b"user.rsync.%stat",
    b"trusted.a",
    b"security.capability",
    b"system.posix_acl_access",
    b"system.nfs4_acl",
)


@pytest.mark.parametrize(
    ("policy", "is_root", "is_source", "expected"),
    [
        (Policy(), True, True, set()),
        (Policy(xattrs=True), True, False, {0, 1, 2, 3}),
        (Policy(xattrs=True), False, False, {0, 1}),
        (Policy(xattrs=True), False, True, {0, 2, 3}),
        (Policy(acls=True), False, True, {4}),
        (Policy(acls=True, xattrs=True), True, True, {0, 2, 3, 4}),
    ],
)
def test_root_preserves_more_than_others(policy: Policy, is_root: bool, is_source: bool, expected: set[int]) -> None:
    xattr_selection = XattrSelection(policy, is_root=is_root, is_source=is_source)
    assert {number for number, name in enumerate(NAMES) if xattr_selection.keeps(name)} == expected


def test_attributes_are_set_without_following_links(tmp_path: Path) -> None:
    if reason := can_keep(tmp_path):
        pytest.skip(reason)
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("file")
    os.setxattr(tmp_path / "file", "user.old", b"1")
    os.setxattr(tmp_path / "file", "user.same", b"1")
    xattr_selection = XattrSelection(Policy(xattrs=True), is_root=os.geteuid() == 0)
    fd = os.open(tmp_path, os.O_RDONLY)
    try:
        wanted = ((b"user.new", b""), (b"user.same", b"2"))
        with pinned(fd, b"file") as file:
            xattr_selection.set_xattrs(file, wanted)
            assert xattr_selection.read(entry_in(fd, b"file")) == xattr_selection.read(file) == wanted
        assert xattr_selection.read(entry_in(fd, b"link")) == ()
        with pytest.raises(PermissionError):
            xattr_selection.set_xattrs(entry_in(fd, b"link"), wanted)
        with pytest.raises(FileNotFoundError):
            xattr_selection.read(entry_in(fd, b"none"))
    finally:
        os.close(fd)
