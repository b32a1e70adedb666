from __future__ import annotations

import os
import pty
import shutil
import subprocess
from pathlib import Path

import pytest

from mrsync.errors import UsageError
from mrsync.remote.bundle import Bundle, make_bundle
from mrsync.remote.command import MARKER, STARTER, CatcherCommand, RemoteShell
from tests.loopback.interpreters import find_interpreter
from tests.support.waiting import HANG_S

SHELLS = ("sh", "bash", "csh", "tcsh", "fish", "zsh", "ksh")


def start(shell: str, python: str, stdin: bytes) -> subprocess.CompletedProcess[bytes]:
    """What a login shell makes of the command."""
    command = [shell, "-c", CatcherCommand(python).on("node1")]
    return subprocess.run(command, input=stdin, capture_output=True, timeout=HANG_S, check=False)


@pytest.mark.parametrize("shell", SHELLS)
def test_every_login_shell_understands_it(shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    done = start(shell, "python3", b"import sys;print(sys.argv);print(os.read(0, 100))\nrest\n")
    empty, marker, *lines = done.stdout.splitlines()
    assert (empty, lines) == (b"", [b"['-c', 'node1']", rb"b'rest\n'"]), done.stderr
    assert marker.startswith(MARKER)


def test_the_starter_has_nothing_that_some_shell_or_clustershell_takes_for_its_own() -> None:
    assert not set(STARTER) & set("'\\!\n%`$")
    assert MARKER.decode() in STARTER


def test_a_terminal_gets_no_secret_to_echo() -> None:
    master, terminal = pty.openpty()
    command = ["sh", "-c", CatcherCommand().on("node1")]
    with open(master, "wb", buffering=0), open(terminal, "rb", buffering=0) as stdin:
        done = subprocess.run(command, stdin=stdin, capture_output=True, timeout=HANG_S, check=False)
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"leave out its -t" in done.stderr


def test_a_remote_shell_without_input_is_told() -> None:
    done = start("sh", "python3", b"")
    assert (done.returncode, done.stderr.split(b";")[0]) == (1, b"multicatcher: the remote shell passes no input on")


@pytest.mark.parametrize("path", ["", ":"])
def test_nothing_is_imported_from_the_working_directory(tmp_path: Path, path: str) -> None:
    """A login shell of root may begin where others can write, and PYTHONPATH name any directory."""
    for name in ("io", "os", "hashlib", "importlib", "marshal", "zlib", "json", "socket", "cryptography", "mrsync"):
        (tmp_path / f"{name}.py").write_text("import sys; sys.exit('taken over')")
    done = begin(make_bundle().opening(), tmp_path, path)
    assert b"taken over" not in done.stderr
    assert done.stdout.strip().startswith(MARKER)
    assert done.stdout.count(b"\n") == 2


def test_modules_of_the_environment_come_after_those_of_python(tmp_path: Path) -> None:
    """`cryptography` may be there."""
    (tmp_path / "socket.py").write_text("import sys; sys.exit('taken over')")
    (tmp_path / "only_here.py").write_text("print('found')")
    done = begin(b"import socket, only_here\n", tmp_path, str(tmp_path))
    assert (done.stdout.split()[-1], done.stderr) == (b"found", b"")


def begin(stdin: bytes, directory: Path, path: str) -> subprocess.CompletedProcess[bytes]:
    """What the command does in this directory and with this PYTHONPATH."""
    command, environment = ["sh", "-c", CatcherCommand().on("node1")], {**os.environ, "PYTHONPATH": path}
    return subprocess.run(command, input=stdin, capture_output=True, check=False, cwd=directory, env=environment)


@pytest.mark.parametrize(("major", "minor"), [(2, 7), (3, 6), (3, 7), (3, 8)])
def test_a_python_that_is_too_old_is_reported(major: int, minor: int) -> None:
    version = f"{major}.{minor}"
    python = find_interpreter(minor, major)
    if python is None:
        pytest.skip(f"there is no Python {version} on this machine")
    done = start("sh", python, make_bundle().opening())
    assert done.returncode == 1
    assert done.stderr.startswith(b"multicatcher: Python " + version.encode())
    assert b"is too old, 3.9 is needed" in done.stderr
    assert done.stderr.count(b"\n") == 1


@pytest.mark.parametrize(
    ("opening", "complaint"),
    [
        (make_bundle()._replace(digest="0" * 64).opening(), b"damaged on its way"),
        (make_bundle().opening()[:-1], b"the master is gone"),
        (Bundle(b"no archive", "d7e4a3c2").opening(), b"damaged on its way"),
    ],
)
def test_only_the_right_program_runs(opening: bytes, complaint: bytes) -> None:
    done = start("sh", "python3", opening)
    assert done.returncode == 1
    assert complaint in done.stderr


def test_the_end_of_stdin_is_the_end_at_any_moment() -> None:
    opening = make_bundle().opening()
    for length in (0, 1, 100, opening.index(b"\n") + 1, len(opening) // 2, len(opening)):
        assert start("sh", "python3", opening[:length]).returncode in (0, 1, 20)


def test_remote_shells() -> None:
    shell = RemoteShell.parse("ssh -p 2222 -oConnectTimeout=3", 10)
    words = list(shell.towards("node1", "true"))
    assert words[:4] == ["ssh", "-p", "2222", "-oConnectTimeout=3"]
    assert words[-2:] == ["node1", "true"]
    assert words.index("-oConnectTimeout=10") > words.index("-oConnectTimeout=3")  # ssh takes the first
    assert shell.name == "ssh"
    assert RemoteShell.parse("/bin/sh -c 'a b'", 10).towards("h", "c") == ["/bin/sh", "-c", "a b", "h", "c"]


def test_a_port_of_a_host_is_told_to_ssh_alone() -> None:
    shell = RemoteShell.parse("ssh -4", 10, ports={"eve@a": 2222})
    assert list(shell.towards("eve@a", "true"))[-4:] == ["-p", "2222", "eve@a", "true"]
    assert "-p" not in shell.towards("b", "true")
    assert RemoteShell.parse("/bin/sh -c", 10, ports={"a": 22}).towards("a", "c") == ["/bin/sh", "-c", "a", "c"]
    with pytest.raises(UsageError, match=r"a has port 2222 .*, which only ssh can be told: use -r ssh"):
        RemoteShell.parse("/bin/sh -c", 10, ports={"a": 2222})


@pytest.mark.parametrize("text", ["", "'", "no-such-rsh", "/no/such/rsh -x"])
def test_remote_shells_that_cannot_be(text: str) -> None:
    with pytest.raises(UsageError):
        RemoteShell.parse(text, 10)


def test_an_installed_catcher_is_started_by_its_path(tmp_path: Path) -> None:
    command = CatcherCommand(directory=f"{tmp_path}/")
    assert command.on("node1") == f"exec {tmp_path}/multicatcher --launched node1"
    assert not command.is_pushed
    assert command.program == f"{tmp_path}/multicatcher"
