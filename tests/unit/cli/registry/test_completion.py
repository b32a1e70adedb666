from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from mrsync.cli.registry.completion import SHELLS, completion
from mrsync.cli.registry.options import OPTIONS
from tests.programs import program
from tests.support.waiting import HANG_S

CASES = [
    ("mrsync --comm", "--commit"),
    ("mrsync --commit f", "file"),
    ("mrsync doct", "doctor"),
    ("mrsync help comm", "commit"),
    ("mrsync completion fi", "fish"),
    ("mrsync doctor --rat", "--rate"),
    ("multicatcher --suf", "--suffix"),
    ("mrsync -s /usr/shar", "/usr/share"),
    ("mrsync -m @rac", "@racks"),
    ("mrsync -m a,@rac", "a,@racks"),
]
BASH = """
. ./completion
COMP_LINE=$1 COMP_POINT=${#1}
read -ra COMP_WORDS <<<"$1"
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
compopt() { echo "$@" >options; }
_mrsync_complete
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the programs to be completed, and a nodeset that knows one group."""
    monkeypatch.chdir(tmp_path)
    for name, text in (("nodeset", "echo @racks"), ("mrsync", ""), ("multicatcher", "")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return tmp_path


@pytest.mark.parametrize(("line", "completed"), CASES)
def test_bash_completes_words(environment: Path, line: str, completed: str) -> None:
    (environment / "completion").write_text(completion("bash"))
    done = subprocess.run(["bash", "-c", BASH, "bash", line], capture_output=True, text=True, check=True)
    word = completed.rpartition("@")[2] if "@" in completed else completed  # bash takes what is behind @ for a word
    assert (done.stdout.splitlines(), done.stderr) == ([word], "")
    has_options = (environment / "options").exists()  # the list may go on behind a group
    assert has_options == ("@" in completed)


@pytest.mark.parametrize("line", ["mrsync -m we", "mrsync -m a,we", "mrsync -aH src/ we", "mrsync -aH src/ a,we"])
def test_bash_completes_hosts_also_in_a_line_of_rsync(
    environment: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    (environment / "names").write_text("10.0.0.7 web7\n")
    monkeypatch.setenv("HOSTFILE", str(environment / "names"))
    (environment / "completion").write_text(completion("bash"))
    done = subprocess.run(["bash", "-c", BASH, "bash", line], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == (f"{line.split()[-1].removesuffix('we')}web7\n", "")


@pytest.mark.skipif(shutil.which("fish") is None, reason="needs fish")
@pytest.mark.parametrize(("line", "completed"), CASES)
def test_fish_completes_words(environment: Path, line: str, completed: str) -> None:
    (environment / "completion").write_text(completion("fish"))
    command = ["fish", "--no-config", "-c", f"source ./completion; complete -C {line!r}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = [each.partition("\t")[0].rstrip("/") for each in done.stdout.splitlines()]
    assert completed in found
    assert done.stderr == ""


@pytest.mark.skipif(shutil.which("zsh") is None, reason="needs zsh")
@pytest.mark.parametrize(("line", "completed"), CASES)
def test_zsh_completes_words(environment: Path, line: str, completed: str) -> None:
    (environment / "_mrsync").write_text(completion("zsh"))
    process, terminal = pty.fork()
    if process == 0:
        os.execvpe("zsh", ["zsh", "-f", "-i"], {**os.environ, "TERM": "dumb", "PS1": "> "})
    try:
        os.write(terminal, b"fpath=($PWD $fpath); autoload -U compinit; compinit -D -u; echo re''ady\n")
        await_text(terminal, "ready")
        os.write(terminal, line.encode() + b"\t")
        await_text(terminal, completed)
    finally:
        os.close(terminal)
        os.waitpid(process, 0)


def await_text(terminal: int, text: str) -> None:
    """Wait until the terminal shows this."""
    shown, deadline = b"", time.monotonic() + HANG_S
    while text.encode() not in shown:
        assert select.select([terminal], [], [], max(0.0, deadline - time.monotonic()))[0], shown
        shown += os.read(terminal, 4096)


@pytest.mark.parametrize("shell", SHELLS)
def test_every_option_is_there(shell: str) -> None:
    text = completion(shell)
    for option in OPTIONS:
        for name in option.all_names(option.programs[0]):
            bare = name.lstrip("-")
            assert (f"-l {bare} " in text or f"-s {bare} " in text) if shell == "fish" else name in text


def test_mrsync_completion_prints_the_script_of_a_shell() -> None:
    done = subprocess.run(program("mrsync", "completion", "bash"), capture_output=True, text=True, check=True)
    assert done.stdout == completion("bash")
    wrong = subprocess.run(program("mrsync", "completion", "csh"), capture_output=True, text=True, check=False)
    assert (wrong.returncode, wrong.stderr) == (1, "mrsync: give the shell: mrsync completion bash | zsh | fish\n")
