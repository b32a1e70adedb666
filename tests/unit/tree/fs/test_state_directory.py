"""Where records of syncs are, and how they are recognised below a destination."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mrsync.tree.fs.state_directory import is_state_directory, position_in, state_directory


@pytest.mark.parametrize("variable", ["", "relative/path"])
def test_without_an_absolute_variable_it_has_its_usual_place(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", variable)
    home = b"/var/lib" if os.geteuid() == 0 else os.path.expanduser(b"~/.local/state")
    assert state_directory() == home + b"/mrsync"


def test_it_is_recognised_by_its_inode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "state/mrsync").mkdir(parents=True)
    (tmp_path / "other/mrsync").mkdir(parents=True)
    assert position_in(os.fsencode(tmp_path)) == [b"state", b"mrsync"]
    assert position_in(os.fsencode(tmp_path / "other")) == []
    for folder, is_it in (("state", True), ("other", False)):
        fd = os.open(tmp_path / folder, os.O_RDONLY)
        try:
            assert is_state_directory(fd, b"mrsync") is is_it
            assert not is_state_directory(fd, b"another name")
        finally:
            os.close(fd)
    (tmp_path / "state/mrsync").rmdir()
    fd = os.open(tmp_path / "state", os.O_RDONLY)
    assert not is_state_directory(fd, b"mrsync"), "there is none"
    os.close(fd)
