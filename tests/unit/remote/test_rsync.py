"""rsync's command line: what may be added to it, and how words survive the way."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from mrsync.errors import UsageError
from mrsync.remote.command import RemoteShell
from mrsync.remote.rsync import command_line, describe_failure, leave_nothing_out, parse_options

CLOSED = ["rsync: connection unexpectedly closed (0 bytes received so far) [sender]", "rsync error: (code 12)"]


@pytest.mark.parametrize(
    "text",
    [
        "", "-H", "-c --size-only", "--exclude '*.o' --exclude=-e", "-f '- b*' -Hf '- /etc'", "-e1".replace("e", "z"),
        "--exclude --daemon", "--max-size 10 -B 1000", "-T /tmp --files-from /etc/list", "--bwlimit 10 -xAX",
    ],
)  # fmt: skip
def test_options_that_say_what_to_compare(text: str) -> None:
    assert " ".join(parse_options(text)) == text.replace("'", "")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("--remove-source-files", "--remove-source-files"), ("-H --daemon", "--daemon"), ("-avze ssh", "-e"),
        ("--rsh=ssh", "--rsh"), ("--link-dest=/x", "--link-dest"), ("-L", "-L"), ("-aK", "-K"), ("-q", "-q"),
        ("--out-format x", "--out-format"), ("-M--fake-super", "-M"), ("--write-batch x", "--write-batch"),
        ("-HR", "-R"), ("--chown=a:b", "--chown"), ("--no-n", "--no-n"), ("--list-only", "--list-only"), ("-vP", "-P"),
        ("--max-delete=3", "--max-delete"),
    ],
)  # fmt: skip
def test_options_that_make_no_sense_are_refused_by_name(text: str, name: str) -> None:
    with pytest.raises(UsageError, match=f"^-o {name}: "):
        parse_options(text)


@pytest.mark.parametrize("text", ["/other/place", "host:there", "-H x", "-- -H", "-", "--exclude a b"])
def test_another_source_or_destination_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not an option"):
        parse_options(text)


@pytest.mark.parametrize(
    ("text", "is_whole"),
    [
        ("", True),
        ("-c", True),
        ("-cu --modify-window 2 --timeout=5", True),
        ("--exclude=*.o", False),
        ("-cm", False),
        ("-f 'H x'", False),
        ("--delete-excluded", False),
        ("--no-l", False),
        ("--unknown", False),
    ],
)
def test_options_that_may_leave_out_a_part_of_the_source(text: str, is_whole: bool) -> None:
    assert leave_nothing_out(parse_options(text)) == is_whole


def test_an_open_quote_is_refused() -> None:
    with pytest.raises(UsageError, match="cannot be understood"):
        parse_options("--exclude 'x")


def test_the_command_to_a_host() -> None:
    shell = RemoteShell(("/bin/my ssh", "-p", "22", "it's"))
    line = command_line("rsync", ["-H"], shell=shell, source=b"/a/", host="user@h", dest=b"/my dest")
    assert line[-5:] == [b"-e", b"'/bin/my ssh' -p 22 'it''s'", b"--", b"/a/", b"user@h:/my dest/"]
    assert command_line("rsync", [], shell=shell, source=b"/", host="fe80::1", dest=b"/")[-2:] == [b"/", b"[fe80::1]:/"]
    there = [
        command_line("rsync", [], shell=shell, source=b"/", host=host, dest=dest)[-1]
        for host, dest in (("me@fe80::1", b"/d"), ("h", b":module"), ("h", b"relative"))
    ]
    assert there == [b"me@[fe80::1]:/d/", b"h:./:module/", b"h:relative/"]
    local = command_line("rsync", [], shell=None, source=b"/a", host="x", dest=b"-rel:dest")
    assert local[-2:] == [b"/a/", str(Path("-rel:dest").absolute()).encode() + b"/"]


@pytest.mark.skipif(shutil.which("rsync") is None, reason="rsync is not installed")
def test_the_remote_shell_gets_its_words_as_they_were(tmp_path: Path) -> None:
    shell = tmp_path / "my shell"
    shell.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {tmp_path}/words\n')
    shell.chmod(0o755)
    words = ("-o", "it's", 'say "so"', "a b", "'", "''x", "-p22")
    line = command_line("rsync", [], shell=RemoteShell((str(shell), *words)), source=b"/", host="h", dest=b"/d")
    subprocess.run(line, check=False, capture_output=True)
    assert tuple((tmp_path / "words").read_text().split("\n")[: len(words)]) == words


@pytest.mark.parametrize(
    ("lines", "status", "reason"),
    [
        (["bash: line 1: rsync: command not found", *CLOSED], 127, "there is no rsync"),
        (["ssh: connect to host h port 22: Connection refused", *CLOSED], 255, "Connection refused"),
        (['rsync: [Receiver] mkdir "/a/b" failed: No such file or directory (2)'], 11,
         '[Receiver] mkdir "/a/b" failed: No such file or directory (2)'),
        (["Authorised use only!", 'rsync: [Receiver] ERROR: "/x" is not a directory'], 3,
         '[Receiver] ERROR: "/x" is not a directory'),
        (["rsync error: unexplained error (code 255)"], 255, "rsync ended with status 255"),
        (["Host key verification failed.", *CLOSED], 255, "Host key verification failed"),
    ],
)  # fmt: skip
def test_why_a_dry_run_did_not_get_through(lines: list[str], status: int, reason: str) -> None:
    assert describe_failure(lines, status).partition("; ")[0] == reason
