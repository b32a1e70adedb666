"""ACLs are read, stripped of what the mode says, and translated; those that no kernel makes are refused."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest

from mrsync.tree.model import acl
from tests.oracle import GROUP, USER
from tests.oracle import acl as kernel_acl

VALUE = kernel_acl((USER, 7, 6), (USER, 3, 4), (GROUP, 5, 1), mode=0o754, own_group=2)


def test_the_mode_is_left_out_and_put_back() -> None:
    bare = acl.without_mode(VALUE)
    assert bare == acl.without_mode(kernel_acl((USER, 3, 4), (GROUP, 5, 1), (USER, 7, 6), mode=0o600, own_group=2))
    assert acl.with_mode(bare, 0o100754) == VALUE
    assert bare != acl.without_mode(kernel_acl((USER, 7, 6), (USER, 3, 4), (GROUP, 5, 1), own_group=3))


def test_an_acl_that_only_repeats_the_mode_is_dropped() -> None:
    assert acl.without_mode(acl.pack([(1, 7, acl.NO_ID), (4, 5, acl.NO_ID), (32, 0, acl.NO_ID)])) == b""


def test_the_kernel_accepts_encoded_acls(tmp_path: Path) -> None:
    (tmp_path / "file").touch(0o640)
    try:
        os.setxattr(tmp_path / "file", acl.ACCESS, acl.with_mode(acl.without_mode(VALUE), 0o640))
    except OSError as error:
        pytest.skip(f"needs a file system with ACLs: {error}")
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640
    assert acl.parse(os.getxattr(tmp_path / "file", acl.ACCESS)) == acl.parse(acl.with_mode(VALUE, 0o640))


def test_names_get_other_ids() -> None:
    assert sorted(acl.ids(VALUE)) == [(False, 5), (True, 3), (True, 7)]
    moved = acl.translated(VALUE, {7: 1, 5: 99}, {5: 6})
    assert moved == kernel_acl((USER, 1, 6), (USER, 3, 4), (GROUP, 6, 1), mode=0o754, own_group=2)


FEW = [(1, 7, acl.NO_ID), (4, 5, acl.NO_ID), (32, 0, acl.NO_ID)]


@pytest.mark.parametrize(
    "value",
    [
        b"",
        VALUE[:-1],
        b"\x01" + VALUE[1:],
        struct.pack("<I", 2),
        acl.pack([*FEW, (2, 4, 17)]),
        acl.pack([*FEW, (16, 4, acl.NO_ID), (2, 4, acl.NO_ID)]),
        acl.pack([*FEW, (16, 4, acl.NO_ID), (2, 8, 17)]),
        acl.pack([*FEW, (64, 4, acl.NO_ID)]),
        acl.pack([*FEW, (16, 4, 5)]),
        acl.pack([*FEW, *FEW]),
        acl.pack(FEW[:2]),
    ],
)
def test_acls_that_no_kernel_makes_are_refused(value: bytes) -> None:
    with pytest.raises(ValueError, match="ACL"):
        acl.parse(value)
