"""Real processes: a remote shell that is a script here, and programs in place of the catcher."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from mrsync.remote.command import CatcherCommand, RemoteShell
from mrsync.remote.contact import LINES_KEPT, LINES_MAX, TOO_MANY, Contact
from mrsync.remote.launcher import CatcherExited, Choice, LaunchEvent, LineWritten, wait_for_all
from mrsync.remote.shells import NO_ANSWER, REAP_WAIT_S, REST_S, ShellLauncher
from tests.support.waiting import HANG_S

REFUSED = "Connection refused; does sshd run there, on this port?"
WAIT_S = HANG_S
ANSWER_WAIT_S = 2.0

# What a host does is in its name: the word before the dash. It is called as RSH HOST COMMAND.
RSH = """#!/bin/sh
case $1 in
  refuse-*) echo "ssh: connect to host $1 port 22: Connection refused" >&2; exit 255 ;;
  hang-*) exec sleep 1000 ;;
  mute-*) exec >&- 2>&-; exec sleep 1000 ;;
  fork-*) sleep 1000 & ;;
  deaf-*) printf '\\nmrsync catcher\\nhere\\n'; exec sleep 1000 ;;
  slow-*) printf '\\nmrsync catcher\\n'; echo ready; cat >/dev/null; echo "cleans up"
    while ! test -e "${0%/*}/go"; do sleep 0.05; done; exit 0 ;;
  closed-*) printf '\\nmrsync catcher\\nhere\\n'; exec >&- 2>&-; exec sleep 1000 ;;
  count-*) printf '\\nmrsync catcher\\n'; echo "$1 heard $(head -c 300011 | wc -c) bytes" ;;
  knows-*) printf '\\nmrsync catcher 3.x\\n'; read -r line; echo "$1 heard $line"; exit 0 ;;
  two-*) printf '\\nmrsync catcher\\n'; read -r line; read -r own; echo "$1 heard $line, $own"; exit 0 ;;
  eat-*) cat; exit 3 ;;
  flood-*) printf '\\nmrsync catcher\\n'; yes & sleep 0.5; exit 3 ;;
  stream-*) printf '\\nmrsync catcher\\n'; exec yes '' ;;
  noise-*) echo "Welcome to $1"; printf 'no newline' ;;
esac
exec sh -c "$2"
"""
CATCHER = """#!/bin/sh
printf '\\nmrsync catcher\\n'
read line
echo "$2 heard $line"
cat >/dev/null
echo "$2 cleaned up"
"""


class Run:
    """A launcher on hosts of this kind, and all that it told."""

    def __init__(
        self, folder: Path, *hosts: str, fanout: int = 10, opening: bytes = b"", own: Sequence[bytes] = ()
    ) -> None:
        for name, text in (("rsh", RSH), ("multicatcher", CATCHER)):
            (folder / name).write_text(text)
            (folder / name).chmod(0o755)
        self.hosts = hosts
        self.events: list[LaunchEvent] = []
        shell, command = RemoteShell.parse(str(folder / "rsh"), 1), CatcherCommand(directory=str(folder))
        self.launcher = ShellLauncher(
            shell, command, hosts, opening=lambda said: said + opening, fanout=fanout, answer_wait_s=ANSWER_WAIT_S
        )
        self.launcher.start(b"parameters\n", own)

    def wait_for(self, *texts: str) -> None:
        """Until all of these were written by their targets, or are reasons of their ends."""
        deadline = time.monotonic() + WAIT_S
        while set(texts) - set(self.said()):
            assert time.monotonic() < deadline, self.events
            select.select([self.launcher], [], [], 0.1)
            self.events += self.launcher.take_events()

    def said(self) -> list[str]:
        return [event.line.decode() if isinstance(event, LineWritten) else event.reason for event in self.events]

    def stop(self, wait_s: float = WAIT_S, choose: Choice = wait_for_all) -> None:
        self.launcher.stop(wait_s, choose)
        self.events += self.launcher.take_events()

    def exits(self) -> dict[str, tuple[int, str]]:
        return {self.hosts[e.target]: (e.status, e.reason) for e in self.events if isinstance(e, CatcherExited)}


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    assert left_over(tmp_path) == []


def left_over(folder: Path) -> list[str]:
    """Processes that have this folder in their command line."""
    listed = subprocess.run(["ps", "axwwo", "args"], capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if str(folder) in line]


def test_all_catchers_get_parameters_and_end_of_file(folder: Path) -> None:
    hosts = [f"good-{i}" for i in range(5)]
    run = Run(folder, *hosts)
    run.wait_for(*(f"{host} heard parameters" for host in hosts))
    run.stop()
    assert run.exits() == {host: (0, "ended") for host in hosts}
    assert LineWritten(0, b"good-0 cleaned up") in run.events


def test_only_the_chosen_ones_are_waited_for(folder: Path) -> None:
    run = Run(folder, "slow-1", "deaf-1")
    run.wait_for("ready", "here")
    told: list[tuple[list[int], set[int]]] = []

    def choose(running: list[int], talking: set[int]) -> set[int]:
        told.append((running, talking))
        (folder / "go").touch()
        return talking

    run.stop(choose=choose)
    assert told == [([0, 1], {0})]
    assert run.exits() == {"slow-1": (0, "ended"), "deaf-1": (-9, "rsh was killed by SIGKILL: here")}


def test_the_opening_depends_on_the_marker_of_the_target(folder: Path) -> None:
    run = Run(folder, "knows-1", "two-1", opening=b"-")
    run.wait_for("knows-1 heard 3.x-parameters")
    run.stop()


def test_the_opening_comes_first_however_long(folder: Path) -> None:
    run = Run(folder, "count-1", opening=b"x" * 300_000)
    run.wait_for("count-1 heard 300011 bytes")
    run.stop()


def test_hanging_target_delays_no_other(folder: Path) -> None:
    run = Run(folder, "hang-1", "mute-1", "good-1", "refuse-1", "fork-1", fanout=2)
    run.wait_for("good-1 heard parameters", "fork-1 heard parameters", REFUSED)
    run.wait_for(f"did not answer within 2 s; {NO_ANSWER}")
    while len(run.exits()) < 3:
        time.sleep(0.05)
        run.events += run.launcher.take_events()
    assert {host: status for host, (status, _) in run.exits().items()} == {"hang-1": -9, "mute-1": -9, "refuse-1": 255}
    run.stop()


def test_target_without_a_catcher_gets_no_input(folder: Path) -> None:
    """It might write it into a log."""
    run = Run(folder, "eat-1")
    run.wait_for(f"did not answer within 2 s; {NO_ANSWER}")
    assert run.events == [CatcherExited(0, -9, f"did not answer within 2 s; {NO_ANSWER}")]
    run.stop()


def test_noise_of_a_login_shell_is_handed_on(folder: Path) -> None:
    run = Run(folder, "noise-1")
    run.wait_for("Welcome to noise-1", "no newline", "noise-1 heard parameters")
    run.stop()


def test_few_are_under_way_at_a_time_but_all_run(folder: Path) -> None:
    hosts = [f"good-{i}" for i in range(12)]
    run = Run(folder, *hosts, fanout=2)
    assert len(left_over(folder)) <= 4
    run.wait_for(*(f"{host} heard parameters" for host in hosts))
    run.stop()


def test_process_that_ignores_the_end_is_killed(folder: Path) -> None:
    run = Run(folder, "deaf-1")
    run.wait_for("here")
    run.stop(0.1)
    assert run.exits() == {"deaf-1": (-9, "rsh was killed by SIGKILL: here")}


def test_a_catcher_that_is_still_receiving_its_code_can_be_stopped(folder: Path) -> None:
    run = Run(folder, "deaf-1", "good-1", opening=bytes(1 << 20))  # more than a pipe holds
    run.wait_for("here")
    run.stop(0.1)
    assert run.exits().keys() == {"deaf-1", "good-1"}


def test_a_remote_shell_that_went_away(folder: Path) -> None:
    run = Run(folder, "good-1", "good-2", fanout=1)
    select.select([run.launcher], [], [], WAIT_S)  # the first one speaks, so its script is read
    (folder / "rsh").unlink()
    run.wait_for("good-1 heard parameters", "rsh cannot be started: No such file or directory")
    run.stop()


def test_nothing_is_left_after_a_kill(folder: Path) -> None:
    """Not even of those that do not hear the end of their stdin."""
    Run(folder, "good-0").stop()
    program = (  # a master that is killed
        "import sys; from pathlib import Path; import mrsync.remote.guard as guard; guard.GRACE_S = 1;"
        "from tests.unit.remote.test_shells import Run; run = Run(Path(sys.argv[1]), 'good-1', 'hang-1', 'fork-1');"
        "run.wait_for('good-1 heard parameters', 'fork-1 heard parameters'); print('up', flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as master:
        assert master.stdout is not None
        assert master.stdout.readline() == b"up\n"
        master.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + WAIT_S
    while left_over(folder):
        assert time.monotonic() < deadline, left_over(folder)
        time.sleep(0.05)


def test_a_catcher_gets_the_line_of_all_and_its_own(tmp_path: Path) -> None:
    run = Run(tmp_path, "two-a", "two-b", own=[b"for a\n", b"for b\n"])
    run.wait_for("two-a heard parameters, for a", "two-b heard parameters, for b")
    run.stop()


def test_a_background_process_that_never_stops_writing_delays_nobody(folder: Path) -> None:
    """It holds the output of the shell open, and fills it as fast as it is read."""
    run = Run(folder, "flood-0", "good-0")
    run.wait_for("good-0 heard parameters")
    deadline = time.monotonic() + WAIT_S
    while "flood-0" not in run.exits():
        assert time.monotonic() < deadline
        select.select([run.launcher], [], [], 0.1)
        run.events += run.launcher.take_events()
    assert len(run.events) < 2 * LINES_MAX
    run.stop()


def test_a_catcher_that_never_stops_writing_takes_little_time(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of its lines would cost the master time, which it needs for the others."""
    looked_at = []
    receive = Contact.receive_line

    def count(contact: Contact, line: bytes) -> LineWritten | None:
        looked_at.append(line)
        return receive(contact, line)

    monkeypatch.setattr(Contact, "receive_line", count)
    run = Run(folder, "stream-0")
    run.wait_for(TOO_MANY.decode())
    before, began = len(looked_at), time.monotonic()
    while time.monotonic() < began + 3 * REST_S:
        run.launcher.take_events()
    reads = 2 + (time.monotonic() - began) / REST_S
    assert before < len(looked_at) <= before + LINES_KEPT * reads
    run.stop(wait_s=0)


def test_a_catcher_that_has_closed_its_output_is_waited_for_without_a_busy_loop(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run(folder, "closed-1")
    run.wait_for("here")
    looks = 0
    reap = ShellLauncher._reap_silent

    def count(launcher: ShellLauncher) -> None:
        nonlocal looks
        looks += 1
        reap(launcher)

    monkeypatch.setattr(ShellLauncher, "_reap_silent", count)
    run.stop(2.0)
    assert looks <= 2 * 2.0 / REAP_WAIT_S
    assert run.exits() == {"closed-1": (-9, "rsh was killed by SIGKILL: here")}
