"""A copy has the contents and the rights of one file, even if another user swaps the file meanwhile."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from mrsync.tree.fs.copying import copy_entry


def test_rights_go_with_the_contents_that_had_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program is swapped for another file while it is copied: what is copied does not get the program's rights."""
    tool, own = tmp_path / "tool", tmp_path / "own"
    tool.write_bytes(b"good")
    tool.chmod(0o4755)
    own.write_bytes(b"evil")
    own.chmod(0o644)
    look = os.stat

    def swapping(path: Any, *arguments: Any, **more: Any) -> os.stat_result:
        found = look(path, *arguments, **more)
        if path == b"tool":
            os.replace(own, tool)
        return found

    monkeypatch.setattr(os, "stat", swapping)
    fd = os.open(tmp_path, os.O_RDONLY)
    copy_entry(fd, b"tool", fd, b"copy")
    monkeypatch.undo()
    os.close(fd)
    assert (tmp_path / "copy").read_bytes() == b"evil"
    assert (tmp_path / "copy").stat().st_mode & 0o7777 == 0o644


def test_fifo_in_place_of_a_file_does_not_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    look = os.stat

    def swapping(path: Any, *arguments: Any, **more: Any) -> os.stat_result:
        found = look(path, *arguments, **more)
        if path == b"file":
            os.unlink(tmp_path / "file")
            os.mkfifo(tmp_path / "file")
        return found

    monkeypatch.setattr(os, "stat", swapping)
    fd = os.open(tmp_path, os.O_RDONLY)
    with pytest.raises(OSError, match="not a regular file"):
        copy_entry(fd, b"file", fd, b"copy")
    os.close(fd)
    assert not (tmp_path / "copy").exists()
