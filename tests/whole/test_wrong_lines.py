"""Wrong command lines of every program: one sentence that names what is wrong, the right status, nothing changed."""

from __future__ import annotations

import os
import re
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import ClusterShell.NodeUtils
import pytest

import mrsync.cli.doctor
import mrsync.cli.filelist
import mrsync.cli.rtt
import mrsync.cli.sync
from mrsync.cli import main
from tests.support.waiting import HANG_S
from tests.whole.wrong_lines import LINES, SYNC

LOADED = (
    ClusterShell.NodeUtils,
    mrsync.cli.doctor,
    mrsync.cli.filelist,
    mrsync.cli.rtt,
    mrsync.cli.sync,
)  # once for all
PROGRAMS: dict[str, Callable[[], int]] = {
    "mrsync": main.mrsync,
    "multicaster": main.multicaster,
    "multicatcher": main.multicatcher,
    "rtt": main.rtt,
    "rttcatcher": main.rttcatcher,
    "trFilelist": main.tr_filelist,
}


class Ended(NamedTuple):
    status: int
    stdout: str
    stderr: str


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory with a source, a copy of it, and all that can be wrong."""
    folder = tmp_path_factory.mktemp("wrong lines")
    for name in ("src/sub", "dir", "out/a"):
        (folder / name).mkdir(parents=True)
    files = {
        "src/file": "new", "src/sub/file": "new", "out/a/file": "old", "empty": "", "bad.json": "{",
        "done.json": '{"exit_status": 0, "targets": {"a": {"state": "done"}}}',
        "odd.json": '{"exit_status": 5, "targets": {"a b": {"state": "lost"}}}', "short.key": "abc",
        "open.key": 32 * "k", "inventory.yml": "all:\n  hosts:\n    n1:\n", "huge.ini": "[all]\nn[1:99999999]\n",
        "bad.toml": "a = [\n", "unknown.toml": "frobnicate = 1\n", "kind.toml": "port = 'x'\n",
        "open.toml": "rate = '1M'\n",
        "deep.toml": f"a = {'[' * 5000}", "digits.toml": f"port = {'7' * 5000}", "brackets": "[" * 50_000,
        "many.rules": "- some/long/name\n" * 70_000,
        "nested.toml": "[network]\nrate = '1M'\n", "nodest.toml": "backup-dir = ''\n",
        "port.ini": "a ansible_port=2222\n", "become.ini": "a ansible_become=yes ansible_become_user=web\n",
        "twice.ini": "a ansible_host=gw ansible_port=1\nb ansible_host=gw ansible_port=2\n", "list.json": "[]",
        "list.toml": "exclude = ['a', ['b']]\n", "twice.toml": "rate = '1M'\nrate = '2M'\n",
        "latin.toml": "rate = '\udce4'\n", "range.toml": "port = 99999\n", "date.toml": "rate = 2020-01-01\n",
        "truth.toml": "delete = 'yes'\n", "self.toml": "config = 'x'\n",
    }  # fmt: skip
    for name, text in files.items():
        (folder / name).write_text(text, errors="surrogateescape")
        (folder / name).chmod(0o666 if name.startswith("open.") else 0o600)
    os.mkfifo(folder / "pipe")
    (folder / "dangling").symlink_to("nowhere")
    before = os.getcwd()
    os.chdir(folder)
    yield folder
    os.chdir(before)


def lines() -> Iterator[tuple[int, str, str]]:
    for line in LINES.strip().splitlines():
        command, _, sentence = line.partition("|")
        status, _, command = command.strip().partition(" ")
        yield int(status), command.strip().replace("...", SYNC), sentence.strip()


def run(words: list[str], folder: Path) -> Ended:
    """Run a command in a child process that has the program loaded already."""
    outputs = [folder / "stdout", folder / "stderr"]
    child = os.fork()
    if child == 0:
        for number, path in enumerate(outputs, 1):
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
        sys.argv = words
        status = 255
        try:
            status = PROGRAMS[words[0]]()
        except SystemExit as error:
            status = int(error.code or 0)
        except BaseException as error:
            print(f"Traceback: {error!r}", file=sys.stderr)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    deadline = time.monotonic() + HANG_S
    while not (ended := os.waitpid(child, os.WNOHANG))[0]:
        if time.monotonic() > deadline:
            os.kill(child, 9)
        time.sleep(0.002)
    return Ended(os.waitstatus_to_exitcode(ended[1]), *(path.read_text() for path in outputs))


@pytest.mark.parametrize(("status", "line", "sentence"), list(lines()), ids=[line for _, line, _ in lines()])
def test_a_wrong_line_is_one_sentence(
    place: Path, monkeypatch: pytest.MonkeyPatch, status: int, line: str, sentence: str
) -> None:
    monkeypatch.setenv("HOME", str(place / "dir"))
    words = shlex.split(line)
    ended = run(words, place)
    told = re.sub(r"^scanning: .*\n", "", ended.stderr)  # progress, where a line takes more than a second
    assert told.startswith(f"{words[0]}: "), ended
    assert told.count("\n") == 1, ended
    assert sentence in told
    assert (ended.status, ended.stdout) == (status, "")
    assert (place / "out/a/file").read_text() == "old"
    assert sorted(path.name for path in (place / "out").rglob("*")) == ["a", "file"]


def test_there_are_many_wrong_lines() -> None:
    assert len(list(lines())) >= 150
