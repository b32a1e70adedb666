"""test_system_calls.py attacks all system calls of a target that name or change files: strace(1) sees no others."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.disk.test_system_calls import POLICIES, Scene, hasten, session
from tests.support.system_calls import SystemCalls

MARK = b"/a watched call/"
TRACED = "trace=%file,%desc"
BY_NAME_OR_CHANGING = re.compile(
    r"(?P<thread>\d+) +(?P<call>(open|creat|unlink|rmdir|rename|.*link|mkdir|mknod|f?chmod|[fl]?chown|utime|futime"
    r"|[fl]?(list|get|set|remove)xattr|p?writev?|f?truncate|fallocate|copy_file_range|sendfile|statx|newfstatat|f?access"
    r"|f?statfs|flock|fsync|fdatasync|syncfs)\w*)\((?P<arguments>.*)"
)
STANDARD_STREAM = re.compile("[012], ")
SYSTEM_CALLS = {
    "lstat": "newfstatat",
    "rmdir": "unlinkat|rmdir",
    "fstatvfs": "fstatfs",
    "statvfs": "statfs",
    "fallocate64": "fallocate",
    "listdir": "openat",
    "scandir": "openat",
}  # others begin or end like the function of os


class Marked(SystemCalls):
    """Leaves a mark in the trace before each call that is watched."""

    def __init__(self) -> None:
        super().__init__()
        self._leave = os.stat

    def _note(self, name: str, arguments: tuple[Any, ...], more: dict[str, Any]) -> None:
        self.mark("paused" if self._is_paused else name)
        super()._note(name, arguments, more)

    def mark(self, text: str) -> None:
        with suppress(FileNotFoundError):
            self._leave(MARK + text.encode())


def sync(folder: Path, policy: str) -> None:
    """A session whose modules are loaded, with marks."""
    with pytest.MonkeyPatch.context() as patch:
        hasten(patch)
        scene = Scene(folder, POLICIES[policy])
        scene.set_up()
        session(scene, SystemCalls())  # so that modules are loaded
        scene.set_up()
        calls = Marked()
        assert session(scene, calls).is_clean
        calls.mark("end")


def is_fstat(line: str) -> bool:
    """It neither names nor changes anything."""
    return "newfstatat(" in line and ', "", ' in line


def unwatched(trace: list[str]) -> list[str]:
    """Return the calls before which there is no mark of theirs."""
    marks: dict[str, str] = {}  # thread -> the mark that no call has followed yet
    found = []
    is_begun = False
    for line in trace:
        call = BY_NAME_OR_CHANGING.match(line)
        if call is None or STANDARD_STREAM.match(call["arguments"]):
            continue
        if MARK.decode() in line:
            mark = marks[call["thread"]] = line.split(MARK.decode())[1].split('"')[0]
            is_begun = mark != "end"
        elif is_begun and not is_fstat(line) and marks.get(call["thread"]) != "paused":
            wanted = SYSTEM_CALLS.get(mark := marks.pop(call["thread"], "nothing"), f".*{mark}.*")
            if not re.fullmatch(wanted, call["call"]):
                found.append(f"after {mark}: {line}")
    return found


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
@pytest.mark.parametrize("policy", POLICIES)
def test_every_call_that_names_or_changes_a_file_is_watched(policy: str, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    (tmp_path / "scene").mkdir()
    traced = [sys.executable, "-m", __name__, str(tmp_path / "scene"), policy]
    subprocess.run(["strace", "-f", "-qq", "-e", TRACED, "-o", str(trace), *traced], check=True)
    lines = trace.read_text(errors="replace").splitlines()
    assert sum(MARK.decode() in line for line in lines) > 100
    assert not unwatched(lines)


if __name__ == "__main__":
    sync(Path(sys.argv[1]), sys.argv[2])
