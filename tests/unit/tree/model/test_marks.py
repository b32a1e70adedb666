"""Marks and deletions survive encoding and decoding; hostile ones are refused."""

from __future__ import annotations

import os
from array import array
from pathlib import Path

import pytest

from mrsync.errors import ProtocolDataError, ProtocolVersionError
from mrsync.tree.lists.scan_synclist import scan_synclist
from mrsync.tree.lists.synclist import Instruction, Item
from mrsync.tree.model.limits import DEPTH_MAX
from mrsync.tree.model.manifest import Manifest
from mrsync.tree.model.marks import Listed, Mark
from mrsync.tree.model.policy import Policy


def picked(root: Path) -> Manifest:
    (root / "d").mkdir()
    (root / "d" / "f").write_text("x")
    os.link(root / "d" / "f", root / "g")
    items = [
        Item(Instruction.HARDLINK, b"g", b"d/f"),
        Item(Instruction.DELETING, b"d/gone/x"),
        Item(Instruction.DELETING, b"d/gone"),
    ]
    return scan_synclist(os.fsencode(root), items).manifest


def test_a_manifest_of_listed_entries_is_read_back(tmp_path: Path) -> None:
    manifest = picked(tmp_path)
    again = Manifest.decode(manifest.encode())
    assert list(again.names) == [b"", b"d", b"g", b"f"]
    assert again.listed == Listed(
        array("B", [Mark.IMPLIED, Mark.IMPLIED, Mark.LINKED, Mark.IMPLIED]), [b"d/gone/x", b"d/gone"]
    )
    assert again.policy == Policy(deletes=False, is_listed=True)
    assert again.leaders == {3: 2}


def test_a_directory_that_is_listed_as_a_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "f").write_text("x")
    listed = Item(Instruction.FILE, b"d")
    (error,) = scan_synclist(os.fsencode(tmp_path), [listed]).errors
    assert error.sentence == "cannot send the file d: Is a directory"
    assert scan_synclist(os.fsencode(tmp_path), [listed, Item(Instruction.TREE, b"d")]).errors == []


@pytest.mark.parametrize(
    ("listed", "reason"),
    [
        (Listed(array("B", [Mark.SENT, Mark.SENT, Mark.SENT, Mark.LINKED + 1]), []), "unknown mark"),
        (Listed(array("B", [Mark.SENT] * 3), []), "column"),
        (Listed(array("B", [Mark.SENT] * 4), [b"/etc/passwd"]), "empty"),
        (Listed(array("B", [Mark.SENT] * 4), [b""]), "empty"),
        (Listed(array("B", [Mark.SENT] * 4), [b"a", b"b//c"]), "empty"),
        (Listed(array("B", [Mark.SENT] * 4), [b"a/"]), "empty"),
        (Listed(array("B", [Mark.SENT] * 4), [b"."]), "'.' or '..'"),
        (Listed(array("B", [Mark.SENT] * 4), [b"a/../../b"]), "'.' or '..'"),
        (Listed(array("B", [Mark.SENT] * 4), [b"n" * 256]), "too long"),
        (Listed(array("B", [Mark.SENT] * 4), [b"d/" * DEPTH_MAX + b"f"]), "too deep"),
        (Listed(array("B", [Mark.SENT] * 4), [b"a\0b"]), "strings"),
    ],
)
def test_invalid_marks_are_refused(tmp_path: Path, listed: Listed, reason: str) -> None:
    manifest = picked(tmp_path)
    manifest.listed = listed
    with pytest.raises(ProtocolDataError, match=reason):
        Manifest.decode(manifest.encode())


def test_marks_without_a_word_in_the_policy_are_no_manifest(tmp_path: Path) -> None:
    manifest = picked(tmp_path)
    manifest.policy = Policy()
    with pytest.raises(ProtocolDataError, match="longer"):
        Manifest.decode(manifest.encode())
    manifest.policy, manifest.listed = Policy(is_listed=True), None
    with pytest.raises(ProtocolDataError, match="ends early"):
        Manifest.decode(manifest.encode())


def test_an_older_target_refuses_lists() -> None:
    with pytest.raises(ProtocolVersionError):
        Policy.decode(Policy(is_listed=True).encode().replace(b"is_listed", b"isxlisted"))
