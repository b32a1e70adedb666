"""Single paths are looked up in the source."""

from __future__ import annotations

from pathlib import Path

import pytest

from mrsync.errors import SelectionError
from mrsync.tree.lists.lookup import SourceLookup


def test_lookups_stay_below_the_root_and_follow_no_link(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "d").mkdir(parents=True)
    (root / "d" / "f").touch()
    (root / "l").symlink_to("d")
    (tmp_path / "outside").touch()
    look = SourceLookup(bytes(root))
    try:
        seen = {path: look.status(path) is not None for path in (b"d", b"d/", b"d/f", b"l", b".", b"d/f/", b"")}
        assert seen == {b"d": True, b"d/": True, b"d/f": True, b"l": True, b".": True, b"d/f/": True, b"": False}
        for path in (b"l/f", b"../outside", b"d/../../outside", b"/etc", b"no", b"d/f/g", b"a\0b", b"n" * 300):
            assert look.status(path) is None
        assert look.link_target(b"l") == b"d"
        assert look.link_target(b"d") == look.link_target(b"no") == look.link_target(b"../l") == b""
    finally:
        look.close()


def test_a_source_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SelectionError, match="cannot read the source"):
        SourceLookup(bytes(tmp_path / "no"))
