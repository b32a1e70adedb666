"""What is opened is a regular file, whatever is in its place; nothing is waited for."""

from __future__ import annotations

import io
import os
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from mrsync.files import LINE_BYTES_MAX, absolute, open_named, open_regular, open_regular_below, read_lines_bounded


def make_link(path: Path) -> None:
    (path.parent / "target").touch()
    path.symlink_to("target")


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


KINDS: dict[str, Callable[[Path], object]] = {
    "link": make_link,
    "fifo": lambda path: os.mkfifo(path),
    "socket": make_socket,
    "directory": lambda path: path.mkdir(),
}


@pytest.mark.parametrize("make", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("access", [os.O_RDONLY, os.O_WRONLY, os.O_RDWR])
def test_only_regular_files_are_opened(tmp_path: Path, make: Callable[[Path], object], access: int) -> None:
    make(tmp_path / "x")
    before = len(os.listdir("/proc/self/fd"))
    directory = os.open(tmp_path, os.O_RDONLY)
    with pytest.raises(OSError, match=r".") as caught:
        open_regular(b"x", directory, access)
    assert caught.value.errno
    os.close(directory)
    with pytest.raises(OSError, match=r"."):
        open_regular_below(os.fsencode(tmp_path), b"x")
    assert len(os.listdir("/proc/self/fd")) == before


def test_no_link_on_the_way_is_followed_below_a_root_that_may_be_one(tmp_path: Path) -> None:
    (tmp_path / "tree" / "d").mkdir(parents=True)
    (tmp_path / "tree" / "d" / "file").write_text("text")
    (tmp_path / "root").symlink_to("tree")
    (tmp_path / "tree" / "link").symlink_to("d")
    root = os.fsencode(tmp_path / "root")
    fd = open_regular_below(root, b"d/file")
    assert os.read(fd, 9) == b"text"
    os.close(fd)
    with pytest.raises(NotADirectoryError):
        open_regular_below(root, b"link/file")


def test_a_named_file_may_be_a_link_or_a_pipe_of_the_shell_but_no_fifo(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("text")
    (tmp_path / "link").symlink_to("file")
    with open_named(tmp_path / "link") as file:
        assert file.read() == b"text"
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(OSError, match="not a regular file"):
        open_named(tmp_path / "fifo")
    with pytest.raises(IsADirectoryError):
        open_named(tmp_path)
    with open_named("/dev/null") as file:
        assert file.read() == b""


def test_a_pipe_that_a_shell_made_is_waited_for() -> None:
    program = "import sys; from mrsync.files import open_named; print(open_named(sys.argv[1]).read())"
    source = Path(__file__).parents[2] / "src"
    command = f'PYTHONPATH={source} "$0" -c "$1" <(sleep 0.3; echo slow)'
    import sys

    done = subprocess.run(["bash", "-c", command, sys.executable, program], capture_output=True, check=True, text=True)
    assert done.stdout == "b'slow\\n'\n"


def test_lines_without_end_are_not_read() -> None:
    assert list(read_lines_bounded(io.BytesIO(b"a\n\nb"), 4)) == [b"a\n", b"\n", b"b"]
    with pytest.raises(OSError, match="has more than 1 MiB"):
        list(read_lines_bounded(io.BytesIO(b"a\n" * (1 << 20)), 1 << 20))
    with open_named("/dev/zero") as zeros, pytest.raises(OSError, match="a line has more than 4 MiB"):
        list(read_lines_bounded(zeros))
    assert len(next(read_lines_bounded(io.BytesIO(b"a" * LINE_BYTES_MAX)))) == LINE_BYTES_MAX


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("l/..", "far"), ("l/../", "far"), ("l/./../x//y", "far/x/y"), ("a/l/../..", ""), ("l/../l", "far/l"),
        ("l", "l"), ("l/", "l"), ("missing/../a", "a"), ("..", ".."), (".", ""), ("l/..x", "l/..x"), ("/..", "/"),
    ],
)  # fmt: skip
def test_dots_behind_a_link_lead_where_the_kernel_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, found: str
) -> None:
    (tmp_path / "far/goal").mkdir(parents=True)
    (tmp_path / "a").mkdir()
    for link in ("l", "a/l"):
        (tmp_path / link).symlink_to(tmp_path / "far/goal")
    monkeypatch.chdir(tmp_path)
    expected = os.path.normpath(tmp_path / found)
    assert {absolute(os.fsencode(path)), absolute(os.fsencode(tmp_path / path))} == {os.fsencode(expected)}
    if os.path.exists(path):
        assert os.path.samefile(path, expected)
