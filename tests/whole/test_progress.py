"""What people see while a cast goes on: on a terminal, in a log, in a program."""

from __future__ import annotations

import json
import os
import re
import signal

import pytest

from tests.programs import Argument, program
from tests.whole.screen import Screen, run_on_terminal
from tests.whole.site import Site

MEGABYTE = 1 << 20


@pytest.fixture
def slow_site(site: Site) -> Site:
    """Two seconds of casting at 2 MB/s."""
    site.source.mkdir()
    (site.source / "big").write_bytes(os.urandom(4 * MEGABYTE))
    return site


def command(site: Site, *options: Argument) -> list[str]:
    places = ("-m", ",".join(site.hosts), "-s", site.source, "-t", site.folder / "dest" / "{host}")
    return program("mrsync", "-r", "local", *places, "-A", site.group, "-P", site.port, "--rate", "2M", *options)


def test_a_terminal_shows_progress_and_is_left_clean(slow_site: Site) -> None:
    status, output = run_on_terminal(command(slow_site))
    assert status == 0
    shares = [int(share) for share in re.findall(r"casting(?:\x1b\[0m)?  (\d+) % of 4.19 MB", output)]
    assert len(shares) >= 3
    assert shares == sorted(shares)
    begun = Screen()
    begun.feed(output.partition("casting")[0])
    assert begun.has_cursor  # whatever ends or stops the program
    assert re.search(r"b +(?:\x1b\[0m)?receiving", output)
    screen = Screen()
    screen.feed(output)
    assert screen.has_cursor
    assert len(screen.seen()) == 1
    assert re.fullmatch(r"3/3 complete; 4\.19 MB in .*delivered(; repair .* %)?", " ".join(screen.seen()))


def test_notices_stay_above_the_display(slow_site: Site) -> None:
    status, output = run_on_terminal(command(slow_site, "-v", 2))
    assert status == 0
    screen = Screen()
    screen.feed(output)
    seen = screen.seen()
    assert [line for line in seen if line.startswith("phase")] == [
        f"phase {phase}" for phase in ("comparing", "planning", "casting", "finishing", "done")
    ]
    assert not [line for line in seen if "%" in line and "complete" not in line]


def test_ctrl_c_leaves_the_terminal_clean(slow_site: Site) -> None:
    interrupted: list[int] = []

    def interrupt(output: str, pid: int) -> None:
        if "% of 4.19 MB" in output and not interrupted:
            interrupted.append(pid)
            os.killpg(pid, signal.SIGINT)

    status, output = run_on_terminal(command(slow_site), on_output=interrupt)
    assert status == 20
    screen = Screen()
    screen.feed(output)
    assert screen.has_cursor
    assert screen.seen()[-1] == "mrsync: interrupted by SIGINT; run the same command again to resume"


def test_a_log_gets_plain_lines(slow_site: Site) -> None:
    ended = slow_site.sync("--progress", "auto", "--rate", "2M")
    assert ended.status == 0
    assert "\x1b" not in ended.stderr + ended.stdout
    casting = r"casting: \d+ % of 4\.19 MB, .*/s, (\d+ min )?\d+ s left;.* 3/3 targets"
    lines = ended.stderr.splitlines()
    assert lines, "the cast lasts longer than a second"
    for line in lines:  # a slow machine may compare for longer than a second, and show that
        assert re.fullmatch(rf"{casting}|(comparing|planning|finishing): .*3/3 targets.*", line), line


def test_a_program_gets_lines_of_json(slow_site: Site) -> None:
    ended = slow_site.sync("--progress", "json", "--rate", "2M", "-v", 1)
    assert (ended.status, ended.stderr) == (0, "")
    events = [json.loads(line) for line in ended.stdout.splitlines()]
    progress = [event for event in events if event["event"] == "progress"]
    assert [event["host"] for event in events if event["event"] == "notice" and event["text"] == "joined"]
    assert {target["host"] for target in progress[0]["targets"]} == set(slow_site.hosts)
    sent = [event["bytes_sent"] for event in progress]
    assert sent == sorted(sent), "the first may come before anything left"
    assert sent[-1] > 0
    assert progress[-1]["bytes_planned"] == 4 * MEGABYTE
    outcome = events[-1]
    assert outcome.pop("event") == "outcome"
    assert outcome == {name: ended.report[name] for name in outcome}, (
        "the report has more: when, where, by which command"
    )
