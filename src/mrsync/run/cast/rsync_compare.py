"""Ask the real rsync for the differences of one target, as mrsync 4.0.1 did.

Targets are tried in the order of the command line, each as soon as its remote shell has answered. The next one is tried
if rsync fails there.
"""

from __future__ import annotations

import os
import select
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from queue import Empty, SimpleQueue

from mrsync.errors import SelectionError, UsageError
from mrsync.escaping import escape_controls
from mrsync.files import ENTRIES_BYTES_MAX, LINES_HELD_MAX
from mrsync.remote.command import RemoteShell
from mrsync.remote.guard import Guard
from mrsync.remote.rsync import command_line, describe_failure, find_rsync, leave_nothing_out
from mrsync.run.observer import Notice
from mrsync.run.settings import LOCAL, CastSettings
from mrsync.tree.lists.rsync_output import translate
from mrsync.tree.lists.synclist import Item
from mrsync.tuples import NamedTuple

OUTPUT_BYTES_MAX = ENTRIES_BYTES_MAX >> 2  # all targets may be asked at once
CHECK_S = 0.2  # interval of checks whether the run is over
SKIPPED = b"skipping non-regular file "
USAGE, INCOMPLETE, VANISHED = 1, 23, 24  # exit statuses of rsync


class Answer(NamedTuple):
    """The result.

    items: of a synclist. warnings: rsync's complaints. is_incomplete: rsync could not read everything.
    """

    items: list[Item]
    warnings: list[str]
    is_incomplete: bool


class RsyncCompare:
    """Run rsync's dry run in the worker's thread.

    tell: called with notices. check: called several times a second; it may raise to end the job.
    """

    def __init__(self, settings: CastSettings, tell: Callable[[Notice], None], check: Callable[[], None]) -> None:
        self._settings = settings
        self._tell = tell
        self._check = check
        self._notices: SimpleQueue[tuple[int, bool]] = SimpleQueue()

    def target_answered(self, target: int, is_there: bool) -> None:
        """Note that a target's remote shell answered (is_there) or ended. Callable from any thread."""
        self._notices.put((target, is_there))

    def ask(self) -> Answer:
        """Return the differences of the first target that can be compared.

        Raise SelectionError if there is none, UsageError if rsync does not understand an option.
        """
        program = find_rsync()
        reasons: list[str] = []
        for host in self._answering():
            said = self._run(program, host)
            if said.status in (0, INCOMPLETE, VANISHED):
                self._tell(Notice(1, "compared by rsync", host))
                is_whole = leave_nothing_out(self._settings.selection.rsync_options or ())
                items, doubts = translate(said.lines, self._settings.source, is_itemized=True, is_whole=is_whole)
                return Answer(items, [*_complaints(said), *doubts], said.status == INCOMPLETE or bool(doubts))
            reason = describe_failure(said.complaints, said.status)
            if said.status == USAGE:
                raise UsageError(f"rsync does not understand: {reason}")  # other targets would not change that
            reasons.append(f"{host}: {reason}")
            self._tell(Notice(0, f"cannot be compared by rsync: {reason}", host))
        while not reasons:  # no target has started; the caster ends the run, and then check raises
            self._check()
            time.sleep(CHECK_S)
        raise SelectionError(f"no target could be compared by rsync: {'; '.join(reasons)}")

    def _answering(self) -> Iterator[str]:
        """Yield targets in their order, each when it has answered. Leave out those that did not start."""
        known: dict[int, bool] = {}
        for target, host in enumerate(self._settings.targets):
            while target not in known:
                self._check()
                try:
                    number, is_there = self._notices.get(timeout=CHECK_S)
                except Empty:
                    continue
                known.setdefault(number, is_there)
            if known[target]:
                yield host

    def _run(self, program: str, host: str) -> _Said:
        settings = self._settings
        remote, shell = settings.remote, None
        if settings.remote_shell not in (None, LOCAL):
            shell = RemoteShell.parse(settings.remote_shell, remote.connect_timeout_s, remote.user, remote.ports)
        command = command_line(
            program,
            _options(settings),
            shell=shell,
            source=settings.source,
            host=host,
            dest=settings.dest_for(host),
            path=remote.rsync_on(host),
        )
        return _run_rsync(command, self._check)


class _Said(NamedTuple):
    lines: list[bytes]
    complaints: list[str]
    status: int


def _options(settings: CastSettings) -> list[str]:
    """Return rsync's equivalents of our own options, then those of -o."""
    policy = settings.policy
    wanted = {
        "--delete": settings.policy.deletes,
        "-H": policy.hard_links,
        "--numeric-ids": policy.numeric_ids,
        "--no-o": not policy.owners,
        "--no-g": not policy.groups,
        "--no-p": not policy.modes,
        "-E": policy.executability,
        "-O": policy.omit_dir_times,
        "-J": policy.omit_link_times,
        "--ignore-errors": settings.selection.ignores_errors,
        "--no-devices": not policy.devices,
        "--no-specials": not policy.specials,
        "-X": policy.xattrs,
        "-A": policy.acls,
        "--modify-window=-1": True,  # compare times with nanoseconds
    }
    return [option for option, is_wanted in wanted.items() if is_wanted] + list(settings.selection.rsync_options or ())


def _complaints(said: _Said) -> list[str]:
    """Return the warnings of a successful dry run, without banners of the remote shell and rsync's summary line."""
    skipped = [escape_controls(line) for line in said.lines if line.startswith(SKIPPED)]
    lines = [line for line in said.complaints if not line.startswith("rsync error: ")]
    return skipped + [line for line in lines if said.status or line.startswith("rsync")]


def _run_rsync(command: list[bytes], check: Callable[[], None]) -> _Said:
    """Run a command to its end. If check raises, or it writes without end, kill it with all that it started."""
    guard = Guard()
    guard.start()
    process = None
    try:
        process = _start(command, guard.group)
        return _listen(process, check)
    finally:
        guard.stop()
        if process is not None:
            process.wait()


def _start(command: list[bytes], group: int) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "LC_ALL": "C"},
            process_group=group,
        )
    except OSError as error:
        raise SelectionError(f"cannot start rsync: {error.strerror}") from error


def _listen(process: subprocess.Popen[bytes], check: Callable[[], None]) -> _Said:
    assert process.stdout is not None
    assert process.stderr is not None
    said = {process.stdout.fileno(): bytearray(), process.stderr.fileno(): bytearray()}
    out, complaints = said.values()
    lines = dict.fromkeys(said, 0)
    poll = select.poll()  # select() takes no descriptor above 1023, and each target's shell has two
    for descriptor in said:
        poll.register(descriptor, select.POLLIN)
    with process.stdout, process.stderr:
        while said:
            check()
            for descriptor, _ in poll.poll(1000 * CHECK_S):
                data = os.read(descriptor, 1 << 16)
                said[descriptor] += data
                lines[descriptor] += data.count(b"\n")
                if len(said[descriptor]) > OUTPUT_BYTES_MAX or lines[descriptor] > LINES_HELD_MAX:
                    raise SelectionError("rsync writes without end")
                if not data:
                    poll.unregister(descriptor)
                    del said[descriptor]
    while process.poll() is None:  # it has closed its output, but may go on
        check()
        with suppress(subprocess.TimeoutExpired):
            process.wait(CHECK_S)
    status = process.returncode
    return _Said(bytes(out).split(b"\n"), [escape_controls(line) for line in bytes(complaints).splitlines()], status)
