"""Files a run writes: whole or not at all, and safe in directories that others may write to."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from mrsync.cli.output.output_files import check_output, open_log, replace_file
from mrsync.errors import FileError

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


def test_a_file_is_replaced_whole_and_not_open_to_others(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    path.write_text("old")
    before = os.umask(0)
    try:
        replace_file("new\udcff", str(path))
    finally:
        os.umask(before)
    assert path.read_text() == "new\\udcff"
    assert path.stat().st_mode & 0o777 == 0o640
    assert list(tmp_path.iterdir()) == [path]


def test_the_working_directory_is_a_place_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    replace_file("text", "r.json")
    assert (tmp_path / "r.json").read_text() == "text"


@pytest.mark.parametrize("name", ["no/r.json", "folder"])
def test_unwritable_output_is_reported_and_leaves_nothing(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(FileError, match=f"cannot write {tmp_path}/{name}: "):
        replace_file("text", str(tmp_path / name))
    assert os.listdir(tmp_path) == ["folder"]


def test_a_name_may_be_as_long_as_the_file_system_takes(tmp_path: Path) -> None:
    path = tmp_path / ("报" * 83 + ".json")  # 254 bytes
    check_output("--report", str(path))
    replace_file("text", str(path))
    assert path.read_text() == "text"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["报" * 85 + ".json", "r" * 10_000 + ".json"])
def test_a_name_that_is_too_long_is_known_at_the_start(tmp_path: Path, name: str) -> None:
    with pytest.raises(FileError, match="cannot write there: File name too long"):
        check_output("--report", str(tmp_path / name))


def test_links_are_replaced_and_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("theirs")
    path = tmp_path / "r.json"
    path.symlink_to(victim)
    replace_file("ours", str(path))
    assert (path.read_text(), path.is_symlink(), victim.read_text()) == ("ours", False, "theirs")


def test_a_fifo_is_replaced_and_holds_nobody_up(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    os.mkfifo(path)
    replace_file("ours", str(path))
    assert path.read_text() == "ours"


def test_unfinished_files_have_names_that_cannot_be_guessed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(os, "rename", lambda old, new, **_: seen.append(old))
    for _ in range(2):
        replace_file("text", str(tmp_path / "r.json"))
    assert len(set(seen)) == 2
    assert all(len(name) > len("r.json") + 16 for name in seen)


@pytest.mark.parametrize("name", ["/dev/null", "."])
def test_a_device_or_directory_is_not_replaced(tmp_path: Path, name: str) -> None:
    with pytest.raises(FileError, match="not a regular file"):
        check_output("--metrics", os.path.join(tmp_path, name))
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_a_log_is_made_once_and_appended_to(tmp_path: Path) -> None:
    path = str(tmp_path / "log")
    for line in (b"one\n", b"two\n"):
        opened = open_log(path)
        os.write(opened, line)
        os.close(opened)
    assert Path(path).read_bytes() == b"one\ntwo\n"


def test_many_sessions_may_make_the_same_log_at_once(tmp_path: Path) -> None:
    opened: list[int] = []
    threads = [threading.Thread(target=lambda: opened.append(open_log(str(tmp_path / "log")))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({os.fstat(descriptor).st_ino for descriptor in opened}) == 1
    assert len(opened) == 8
    for descriptor in opened:
        os.close(descriptor)


def make_link(path: Path) -> None:
    path.symlink_to(path.with_name("victim"))


def make_dangling_link(path: Path) -> None:
    path.symlink_to(path.with_name("new"))


def make_second_name(path: Path) -> None:
    path.hardlink_to(path.with_name("victim"))


def give_away(path: Path) -> None:
    path.touch()
    os.chown(path, 12345, 12345)


@pytest.mark.parametrize(
    "make", [make_link, make_dangling_link, make_second_name, os.mkfifo, pytest.param(give_away, marks=needs_root)]
)
def test_a_log_is_our_own_regular_file_with_one_name(tmp_path: Path, make: object) -> None:
    (tmp_path / "victim").write_text("theirs")
    path = tmp_path / "log"
    assert callable(make)
    make(path)
    with pytest.raises(FileError, match="the log file"):
        open_log(str(path))
    assert (tmp_path / "victim").read_text() == "theirs"
    assert not (tmp_path / "new").exists()
