"""The output of a run: it does not change the run, and it is written however the run ends."""

from __future__ import annotations

import json
import os
import re
import shlex
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.programs import SOURCE, program
from tests.whole.site import LOOPBACK, Site

EVIL = "\x1b[31m\x9b\u202e"  # as UTF-8: escape, a C1 control, a mark that turns the direction
RAW = EVIL.encode()


@pytest.fixture
def full(site: Site) -> Site:
    site.source.mkdir()
    for i in range(30):
        (site.source / f"f{i}").write_text(str(i))
    return site


PROGRESS = re.compile(r"(scanning|comparing|planning|casting|finishing): ")  # what a slow run shows


def run_in_shell(site: Site, redirection: str, *options: str) -> subprocess.CompletedProcess[str]:
    """A sync with its standard streams redirected as a shell does it."""
    command = site.command("-i", *options)
    shell = ["bash", "-c", f"{shlex.join(command)} {redirection}"]
    return subprocess.run(shell, capture_output=True, text=True, check=False, timeout=60, cwd=site.folder)


@pytest.mark.parametrize(
    "redirection",
    ["<&-", ">&-", "2>&-", "<&- >&- 2>&-", ">/dev/full", "2>/dev/full", ">/dev/full 2>&1", "</dev/null >/dev/null 2>&1",
     "1</dev/null", "| true; exit ${PIPESTATUS[0]}", "2>&1 | true; exit ${PIPESTATUS[0]}"],
)  # fmt: skip
@pytest.mark.parametrize("progress", ["plain", "json"])
def test_the_result_of_a_sync_counts_whatever_takes_its_output(full: Site, redirection: str, progress: str) -> None:
    done = run_in_shell(full, redirection, "--progress", progress)
    assert done.returncode == 0, done.stderr
    assert full.all_differences() == {}
    assert json.loads((full.folder / "report.json").read_text())["exit_status"] == 0
    assert "Traceback" not in done.stderr + done.stdout
    sentences = [line for line in done.stderr.splitlines() if not PROGRESS.match(line)]
    assert len(sentences) <= 1


def test_a_full_stdout_is_one_sentence_and_changes_no_status(full: Site) -> None:
    full.dest("b").write_text("in the way")
    done = run_in_shell(full, ">/dev/full", "--progress", "none")
    assert done.returncode == 23
    assert done.stderr.splitlines()[-1] == "mrsync: cannot write to stdout: No space left on device"
    assert full.differences("a") == []


@pytest.mark.parametrize(
    ("redirection", "reason"), [(">/dev/full", "No space left on device"), (">&-", "it is closed")]
)
def test_a_synclist_that_is_lost_is_an_error(tmp_path: Path, redirection: str, reason: str) -> None:
    """It is the result of the command."""
    (tmp_path / "dry").write_text("f1\n")
    (tmp_path / "f1").touch()
    line = shlex.join(program("tr_filelist", tmp_path / "dry", tmp_path))
    done = subprocess.run(f"{line} {redirection}", shell=True, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (11, f"trFilelist: cannot write to stdout: {reason}\n")


@pytest.mark.parametrize("command", ["config --show", "help rsync", "completion bash"])
def test_the_output_of_a_command_is_its_result(command: str) -> None:
    line = f"{shlex.join(program('mrsync', *command.split()))} >/dev/full"
    done = subprocess.run(line, shell=True, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (11, "mrsync: cannot write to stdout: No space left on device\n")


def test_a_starter_that_ignores_the_end_of_its_children_changes_nothing(full: Site) -> None:
    """With SIGCHLD ignored, which programs inherit, the kernel reaps children by itself."""
    code = "import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); os.execv(sys.argv[1], sys.argv[1:])"
    assert full.sync(prefix=(sys.executable, "-c", code)).status == 0


def test_a_process_without_streams_can_sync(full: Site) -> None:
    """It has None in their place, as a daemon does, and may ignore SIGCHLD."""
    code = (
        "import signal, sys; sys.stdout = sys.stderr = None; signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
        "from mrsync import sync\n"
        "_, source, dest, group, port = sys.argv\n"
        "done = sync(source, ['a'], dest, rsh='local', multicast_group=group, port=int(port))\n"
        "sys.exit(done.exit_status)"
    )
    words = [str(full.source), str(full.folder / "dest/{host}"), full.group, str(full.port)]
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    assert subprocess.run([sys.executable, "-c", code, *words], env=environment, check=False).returncode == 0
    assert full.differences("a") == []


def test_a_file_is_never_taken_for_a_closed_stream(full: Site) -> None:
    """The first descriptor that a sync opens would be number 2."""
    done = run_in_shell(full, "2>&-", "--log-file", str(full.folder / "log"), "-v", "2")
    assert done.returncode == 0
    assert all(line[:2] == "20" for line in (full.folder / "log").read_text().splitlines())


@pytest.mark.parametrize("stdin", ["<&-", "0>/dev/null"])
@pytest.mark.parametrize(
    ("options", "status", "sentence"),
    [
        (["--files-from", "-"], 11, "cannot read --files-from -"),
        (["--exclude-from", "-"], 11, "cannot read the rules in -"),
        (["-m", "-"], 1, "cannot read the targets from stdin"),
    ],
)
def test_a_stdin_that_cannot_be_read_is_not_empty(
    full: Site, stdin: str, options: list[str], status: int, sentence: str
) -> None:
    done = run_in_shell(full, stdin, *options)
    assert (done.returncode, done.stderr) == (status, f"mrsync: {sentence}: Bad file descriptor\n")


@pytest.mark.parametrize("source", ["/absolute", "relative"])
def test_a_removed_working_directory(full: Site, source: str) -> None:
    name = str(full.source) if source == "/absolute" else "source"
    done = run_in_shell(full, "", "-s", name, "--progress", "none")
    command = shlex.join(["mkdir", "gone"]) + " && cd gone && rmdir ../gone && "
    inner = program(
        "mrsync", "-r", "local", "-m", "a", "-s", name, "-t", full.folder / "again/{host}", "-P", full.port,
        "--progress", "none",
    )  # fmt: skip
    (full.folder / "again").mkdir()
    done = subprocess.run(
        ["bash", "-c", command + shlex.join(inner)], capture_output=True, text=True, check=False, cwd=full.folder
    )
    if source == "/absolute":
        assert (done.returncode, done.stderr) == (0, "")
    else:
        sentence = "mrsync: the working directory no longer exists: give the source source as an absolute path\n"
        assert (done.returncode, done.stderr) == (3, sentence)


def ends(site: Site) -> dict[str, tuple[list[str], int]]:
    """Options on top of good ones, and the exit status that they lead to."""
    return {
        "no source": (["-s", str(site.folder / "none")], 3),
        "bad rule": (["--filter", "nonsense"], 1),
        "unknown group": (["-m", "@no-such-group"], 1),
        "nobody": (["-r", "/bin/false", "-I", "lo", "-L"], 5),
        "no interface": (["-I", "nope0"], 10),
        "no log": (["--log-file", "/no/log"], 11),
        "lost": (["-t", str(site.folder / "no/where/{host}")], 30),
    }


@pytest.mark.parametrize("end", ["no source", "bad rule", "unknown group", "nobody", "no interface", "no log", "lost"])
def test_reports_metrics_and_log_are_written_at_every_end(full: Site, end: str) -> None:
    """Readers must not take the last good run for this one."""
    page, metrics, log = (full.folder / name for name in ("report.html", "run.prom", "log"))
    records = ["--report", str(page), "--metrics", str(metrics), "--log-file", str(log)]
    assert full.sync(*records).status == 0
    assert " exit_status=0 " in log.read_text()
    options, status = ends(full)[end]
    before = page.read_text()
    ended = full.sync(*records, *options)
    assert (ended.status, ended.report["exit_status"]) == (status, status)
    assert status == 30 or status == 5 or ended.report["error"] in ended.stderr
    assert page.read_text() != before
    assert f"Exit status {status}" in page.read_text()
    labels = f'{{source="{ended.report["source"]}",dest="{ended.report["dest"]}"}}'
    assert f"mrsync_exit_status{labels} {status}\n" in metrics.read_text()
    if end != "no log":
        assert f" end exit_status={status} " in log.read_text().splitlines()[-1]


def test_they_are_written_when_the_port_is_taken_and_when_interrupted(full: Site) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind((LOOPBACK, full.port - 1))
        ended = full.sync()
    assert (ended.status, ended.report["exit_status"]) == (10, 10)
    assert "is in use" in ended.report["error"]
    (full.source / "big").write_bytes(bytes(4 << 20))
    run = full.start("--rate", "1M", "-v", "2")
    run.wait_for("phase casting")
    run.interrupt()
    ended = run.wait()
    assert (ended.status, ended.report["exit_status"]) == (20, 20)
    assert ended.report["error"].startswith("interrupted by SIGINT")
    assert ended.report["entries"] > 0, "what is known is kept"


def outputs(done: subprocess.CompletedProcess[bytes], *files: Path) -> bytes:
    return done.stdout + done.stderr + b"".join(path.read_bytes() for path in files)


def assert_harmless(text: bytes) -> None:
    assert b"\\x1b" in text or b"\\u001b" in text or b"\\\\x1b" in text or b"\\#033" in text, text
    assert b"\x1b" not in text
    for mark in ("\x9b", "\u202e"):
        assert mark.encode() not in text


@pytest.fixture
def evil_rsh(tmp_path: Path) -> Path:
    """A remote shell that talks in escape sequences: `talks` before a catcher starts, `fails` instead."""
    shell = tmp_path / "rsh"
    shell.write_bytes(
        b"#!/bin/sh\nhost=$1; shift\nprintf '%s talks\\n' '" + RAW + b"' >&2\n"
        b'[ "$host" = talks ] && exec sh -c "$*"\nprintf \'%s fails\\n\' \'' + RAW + b"'; exit 7\n"
    )
    shell.chmod(0o755)
    return shell


@pytest.mark.parametrize("progress", ["none", "plain", "json"])
@pytest.mark.parametrize("style", ["text", "json"])
def test_escape_sequences_reach_no_sink_of_a_sync(evil_rsh: Path, full: Site, progress: str, style: str) -> None:
    """From a remote shell, from names in the source, from SOURCE and DEST themselves."""
    source = full.folder / f"src{EVIL}"
    full.source.rename(source)
    (source / f"name{EVIL}").write_text("x")
    os.mkfifo(source / f"fifo{EVIL}")
    files = [full.folder / name for name in ("report.json", "report.html", "run.prom", "log")]
    command = program(
        "mrsync", "-r", evil_rsh, "-m", "talks,fails", "-s", source, "-t", full.folder / f"dest/{EVIL}",
        "-P", full.port, "-I", "lo", "-L", "-v", 2, "-i", "--progress", progress,
        "--report", files[0], "--report", files[1], "--metrics", files[2], "--log-file", files[3],
        "--log-format", style,
    )  # fmt: skip
    done = subprocess.run(command, capture_output=True, check=False, timeout=60)
    assert done.returncode == 23, done.stderr
    assert_harmless(done.stdout)
    assert progress == "json" or b"\\x1b[31m" in done.stderr
    for text in (done.stderr, *(path.read_bytes() for path in files)):
        assert b"\x1b" not in text
        assert "\x9b".encode() not in text
        assert "\u202e".encode() not in text
    for path in files:
        assert_harmless(path.read_bytes())


@pytest.mark.parametrize("command", ["doctor -v 1", "doctor --json", "rtt -n 5 -v 1", "rtt --json"])
def test_escape_sequences_reach_no_sink_of_the_tools(evil_rsh: Path, full: Site, command: str) -> None:
    whole = program(
        "mrsync", *command.split(), "-r", evil_rsh, "-m", "talks,fails", "-P", full.port, "-I", "lo", "-L",
        "--progress", "plain",
    )  # fmt: skip
    done = subprocess.run(whole, capture_output=True, check=False, timeout=100)
    assert done.returncode in (23, 30), done.stderr  # on a busy machine an echo may be late
    assert_harmless(done.stdout + done.stderr)


def test_escape_sequences_in_a_command_line_are_not_echoed(full: Site) -> None:
    for wrong in (["-s", f"/none{EVIL}"], ["-m", f"a{EVIL}"], [f"--none{EVIL}"], ["--report", f"/{EVIL}/r.json"]):
        done = subprocess.run(full.command(*wrong), capture_output=True, check=False)
        assert done.returncode in (1, 3, 11)
        assert_harmless(done.stderr)
