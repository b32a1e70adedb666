"""What names have in common that some file system takes for one; on others they stay apart."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mrsync.tree.compare.aliases import Aliases, Names, folded
from mrsync.tree.destination.destination import Destination


@pytest.mark.parametrize(
    ("one", "other"),
    [("README", "readme"), ("é", "e\u0301"), ("Straße", "STRASSE"), ("ﬁle", "FILE"), ("name", "name. .")],
)
def test_spellings_of_one_name(one: str, other: str) -> None:
    assert folded(one.encode()) == folded(other.encode())


@pytest.mark.parametrize(("one", "other"), [("a", "b"), ("a.b", "ab"), ("\udc80", "\udc81")])
def test_different_names_do_not_fold_to_one(one: str, other: str) -> None:
    assert folded(os.fsencode(one)) != folded(os.fsencode(other))


def test_names_are_apart_where_the_file_system_keeps_them_apart(tmp_path: Path) -> None:
    (tmp_path / "name").touch()
    destination = Destination(os.fsencode(tmp_path))
    aliases = Aliases(destination, [0])
    assert aliases.twins(0, [b"Name", b"NAME"]) == {}
    assert aliases.find(0, [b"NAME", b"Name"], [b"name"], [b"name"]) == Names({}, {}, True)
    assert os.listdir(tmp_path) == ["name"]
    destination.close()


def test_deletion_waits_where_a_name_cannot_be_explained(tmp_path: Path) -> None:
    for name in ("name", "other"):
        (tmp_path / name).write_text(name)
    destination = Destination(os.fsencode(tmp_path))
    assert not Aliases(destination, [0]).find(0, [b"name"], [b"other"], [b"other"]).is_sure
    destination.close()
