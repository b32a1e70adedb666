from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mrsync.cli.main import _TOOLS, mrsync
from mrsync.cli.registry.completion import COMMANDS
from mrsync.run.stop import ENDING

# The command says when it is ready, then waits to be interrupted; its cleaning up must still happen.
WAITING = """
import signal, sys
from mrsync.cli.main import run_command
def wait(arguments):
    try:
        print("ready", flush=True)
        signal.pause()
    finally:
        print("cleaned up", flush=True)
sys.exit(run_command("mrsync", wait, []))
"""

AT_EXIT = """
import atexit, gc, sys
from mrsync.cli.main import run_command
atexit.register(lambda: print(gc.get_freeze_count() > len(gc.get_objects())))
sys.exit(run_command("mrsync", lambda arguments: 7, []))
"""


def test_the_exit_searches_for_no_garbage() -> None:
    done = subprocess.run([sys.executable, "-c", AT_EXIT], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (7, "True\n", "")


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        ([], 1, "mrsync: give SOURCE TARGETS:DEST, or -m TARGETS -s SOURCE (see mrsync --help)\n"),
        (["--nonsense"], 1, "mrsync: there is no option --nonsense (see mrsync --help)\n"),
        (["dotcor"], 1, "mrsync: there is no command dotcor; did you mean doctor? (see mrsync --help)\n"),
        (["-s", "/nowhere", "-m", "a"], 3, "mrsync: the source /nowhere does not exist\n"),
    ],
)
def test_an_error_is_one_sentence_and_its_status(arguments: list[str], status: int, sentence: str) -> None:
    command = [str(Path(sys.executable).with_name("mrsync")), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr, done.stdout) == (status, sentence, "")


@pytest.mark.parametrize("limit", range(8, 18))
def test_too_few_open_files_are_one_sentence(limit: int, tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "file").touch()
    sync = ["mrsync", "-r", "local", "-m", "a", "-s", "source", "-t", "dest", "-A", "auto", "--progress", "none"]
    command = ["sh", "-c", f'ulimit -n {limit} && exec "$@"', "sh", str(Path(sys.executable).with_name(sync[0]))]
    done = subprocess.run([*command, *sync[1:]], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode in (0, 3, 5, 23, 30)
    assert "Traceback" not in done.stderr
    assert "cryptography" not in done.stderr
    if done.returncode in (3, 5):
        assert done.stderr.startswith("mrsync: ")
        assert "Too many open files" in done.stderr
        assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("question", ["sealing.has_aes_gcm", "signing.can_sign"])
def test_too_few_open_files_are_not_blamed_on_a_package(question: str) -> None:
    lines = (
        "import resource; from mrsync.errors import describe_shortage; from mrsync.wire.seals import sealing, signing",
        "resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))",
        "try:",
        f"    {question}()",
        "except Exception as error:",
        "    print(describe_shortage(error))",
    )
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=True)
    assert done.stdout == "Too many open files on this host: raise the limit (ulimit -n)\n"


def test_too_little_memory_is_one_sentence() -> None:
    too_much = (
        "import sys; from mrsync.cli.main import run_command; sys.exit(run_command('mrsync', bytearray, 1 << 62))"
    )
    done = subprocess.run([sys.executable, "-c", too_much], capture_output=True, text=True, check=False)
    sentence = "mrsync: there is not enough memory for this program (ulimit -v, or a limit of the container)\n"
    assert (done.returncode, done.stderr, done.stdout) == (5, sentence, "")


@pytest.mark.parametrize("number", ENDING)
def test_a_signal_ends_the_run_cleaned_up_with_status_20(number: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WAITING], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        assert process.communicate() == ("cleaned up\n", f"mrsync: interrupted by {number.name}\n")
        assert process.returncode == 20


def test_a_run_under_nohup_survives_the_end_of_its_terminal() -> None:
    command = ["nohup", sys.executable, "-c", WAITING]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
        assert process.communicate()[1].splitlines()[-1] == "mrsync: interrupted by SIGTERM"


def test_help_leaves_by_itself(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["mrsync", "--help"])
    handlers = [signal.getsignal(number) for number in ENDING]
    try:
        with pytest.raises(SystemExit):
            mrsync()
    finally:
        for number, handler in zip(ENDING, handlers, strict=True):
            signal.signal(number, handler)
    assert "SOURCE... TARGETS:DEST" in capsys.readouterr().out


def test_every_tool_is_completed() -> None:
    assert set(COMMANDS) == set(_TOOLS)
