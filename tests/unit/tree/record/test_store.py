"""The store of records: nobody else reads or changes them, and old ones of removed trees are removed."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from mrsync.tree.record.store import UNUSED_S, Store


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "mrsync"


def test_a_record_is_found_by_every_name_of_its_destination(tmp_path: Path, state: Path) -> None:
    (tmp_path / "dest").mkdir()
    (tmp_path / "link").symlink_to("dest")
    store = Store(bytes(tmp_path / "dest"), makes=True)
    assert store.read() is store.read(4) is None
    store.write([b"one\n", b"two"], is_durable=True)
    store.write([b"three\nfour"], is_durable=False)
    store.close()
    for name in ("link", "dest/", "./dest/../dest"):
        store = Store(os.fsencode(f"{tmp_path}/{name}"), makes=False)
        read, beginning = store.read(), store.read(4)
        store.close()
        assert read is not None
        assert read[0] == b"three\nfour"
        assert beginning == (b"thre", read[1])
    assert len(list(state.iterdir())) == 1
    assert next(state.iterdir()).stat().st_mode & 0o777 == 0o600


def test_a_directory_that_others_may_write_to_is_not_used(state: Path) -> None:
    state.mkdir(mode=0o777)
    state.chmod(0o777)
    with pytest.raises(PermissionError):
        Store(b"/x", makes=True)


def test_a_link_in_the_place_of_records_is_not_followed(tmp_path: Path, state: Path) -> None:
    (tmp_path / "other").mkdir()
    state.symlink_to("other")
    with pytest.raises(OSError, match=r"Not a directory|symbolic links"):
        Store(b"/x", makes=True)
    state.unlink()
    store = Store(b"/x", makes=True)
    store.write([b"record"], is_durable=False)
    (name,) = [path.name for path in state.iterdir()]
    (tmp_path / "secret").write_bytes(b"secret")
    (state / name).unlink()
    (state / name).symlink_to(tmp_path / "secret")
    with pytest.raises(OSError, match="symbolic links"):
        store.read()
    store.write([b"record"], is_durable=False)
    assert (tmp_path / "secret").read_bytes() == b"secret"
    store.close()


def test_old_records_of_removed_trees_are_removed(tmp_path: Path, state: Path) -> None:
    old = time.time() - UNUSED_S - 60
    for name in ("gone", "there", "new"):
        store = Store(bytes(tmp_path / name), makes=True)
        store.write([name.encode()], is_durable=False)
        store.close()
        if name != "new":
            os.utime(max(state.iterdir(), key=lambda path: path.stat().st_mtime), (old, old))
    (tmp_path / "there").mkdir()
    store = Store(bytes(tmp_path / "new"), makes=True)
    store.prune()
    store.close()
    assert {path.read_bytes().rpartition(b"\n")[2] for path in state.iterdir()} == {b"there", b"new"}
