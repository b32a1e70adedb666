"""The same directory is the same place under every path that leads to it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mrsync.tree.fs import mounts
from mrsync.tree.fs.mounts import Mounts

TABLE = rb"""22 1 8:1 / / rw - ext4 /dev/sda1 rw
23 22 8:1 /srv/data /mnt/da\040ta rw - ext4 /dev/sda1 rw
24 22 8:2 / /home rw - ext4 /dev/sda2 rw
25 24 0:5 / /home/tmp rw - tmpfs tmpfs rw
26 24 8:1 /srv /home/tmp rw - ext4 /dev/sda1 rw
"""


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mounts:
    (tmp_path / "mountinfo").write_bytes(TABLE)
    monkeypatch.setattr(mounts, "TABLE", str(tmp_path / "mountinfo"))
    return Mounts()


@pytest.mark.parametrize(
    ("path", "place"),
    [
        (b"/", (b"8:1", b"")),
        (b"/nowhere/x", (b"8:1", b"/nowhere/x")),
        (b"/mnt/da ta/x/../y", (b"8:1", b"/srv/data/y")),
        (b"/mnt/da tax", (b"8:1", b"/mnt/da tax")),
        (b"/home", (b"8:2", b"")),
        (b"/home/tmp/data", (b"8:1", b"/srv/data")),  # the last mount is on top
    ],
)
def test_a_path_leads_to_a_place(table: Mounts, path: bytes, place: tuple[bytes, bytes]) -> None:
    assert table.place(path) == place


def test_places_contain_one_another(table: Mounts) -> None:
    assert table.place(b"/srv").contains(table.place(b"/mnt/da ta"))
    assert table.place(b"/srv").contains(table.place(b"/srv"))
    assert not table.place(b"/srv").contains(table.place(b"/srv2"))
    assert not table.place(b"/").contains(table.place(b"/home"))  # another file system
    assert [place.path for place in table.below(b"/home")] == [b"", b"/srv"]


def test_any_user_may_mount_at_a_name_with_line_breaks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mountinfo").write_bytes(TABLE + b"27 22 0:9 / /mnt/a\rb\rc rw - fuse x rw\n")
    monkeypatch.setattr(mounts, "TABLE", str(tmp_path / "mountinfo"))
    assert Mounts().points_below(b"/mnt") == {b"a\rb\rc", b"da ta"}


def test_without_a_table_paths_are_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mounts, "TABLE", "/nowhere")
    assert Mounts().place(b"/a").contains(Mounts().place(b"/a/b"))


def test_links_are_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    found = Mounts()
    assert found.place(os.fsencode(tmp_path / "link" / "x")) == found.place(os.fsencode(tmp_path / "real" / "x"))
