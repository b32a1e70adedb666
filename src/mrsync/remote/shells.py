"""Run one remote shell per target as child processes, without threads.

A target is first in _waiting, then in _running, and finally its end is an event. At most `fanout` running shells may
not have answered yet; those that have do not count. The secret is written only after the marker has arrived, because
until then another program, such as a login script, may be reading. The end of a shell is noticed in two ways: its
output reaches end of file, or the process has exited although a background process still holds its output open.
"""

from __future__ import annotations

import os
import resource
import select
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Sequence

from mrsync.errors import StartError
from mrsync.remote.bundle import BYTECODE
from mrsync.remote.command import CatcherCommand, RemoteShell
from mrsync.remote.contact import Contact
from mrsync.remote.guard import Guard
from mrsync.remote.launcher import REPLY_S, CatcherExited, Choice, LaunchEvent, talking, wait_for_all
from mrsync.remote.lines import LineReader
from mrsync.spelling import counted

REAP_WAIT_S = 0.05  # for a process to exit after its output ended; usually much less is needed
NO_ANSWER = (
    "does it start commands (ForceCommand in sshd_config, SessionType in ssh_config), does a login script there wait "
    "for input, or is it slow (--connect-timeout gives it longer)?"
)
REST_S = 0.25  # between two reads of output that is not passed on any more: each line of it would cost time
LAST_READS = 4  # of the rest of the output: a pipe holds no more, but a background process may write without end
DESCRIPTORS_SPARE = 200
DESCRIPTORS_EACH = 4


class ShellLauncher:
    """Launcher that runs `RSH HOST COMMAND` for every target.

    opening: returns what is sent to a catcher before the parameters, from the bytecode that it says it reads.
    fanout: the greatest number of shells that were started and have not answered. answer_wait_s: seconds from a start
    to the answer, after which the shell is killed, so that one that hangs does not delay the others.
    """

    def __init__(
        self,
        shell: RemoteShell,
        command: CatcherCommand,
        hosts: Sequence[str],
        *,
        opening: Callable[[bytes], bytes],
        fanout: int,
        answer_wait_s: float,
    ) -> None:
        self._shell = shell
        self._command = command
        self._hosts = hosts
        self._opening = opening
        self._parameters = b""
        self._own: Sequence[bytes] = ()
        self._fanout = fanout
        self._answer_wait_s = answer_wait_s
        self._epoll = select.epoll()
        self._waiting = deque(range(len(hosts)))
        self._running: dict[int, _Remote] = {}  # by target
        self._by_descriptor: dict[int, _Remote] = {}
        self._resting: set[_Remote] = set()  # whose output is not read now
        self._rested_at = 0.0  # when it is read again
        self._events: list[LaunchEvent] = []
        self._guard = Guard()

    def start(self, parameters: bytes, own: Sequence[bytes] = ()) -> None:
        self._parameters = parameters
        self._own = own
        _allow_descriptors(len(self._hosts))
        self._guard.start()
        self._begin()
        self._opening(BYTECODE)  # most targets will read our bytecode: pack it while the shells connect

    def fileno(self) -> int:
        return self._epoll.fileno()

    def take_events(self) -> list[LaunchEvent]:
        self._serve(0)
        self._keep_time()
        self._begin()
        events, self._events = self._events, []
        return events

    def stop(self, wait_s: float, choose: Choice = wait_for_all) -> None:
        self._events += [CatcherExited(target, 1, "was not started") for target in self._waiting]
        self._waiting.clear()
        said = len(self._events)
        for remote in self._running.values():
            self._unwatch(remote.input)  # epoll does not know a descriptor that is closed
            remote.close_input()
            if not remote.contact.has_started:  # no catcher runs yet, so none needs time to clean up
                remote.kill()
        self._wait_for_ends(time.monotonic() + min(REPLY_S, wait_s))
        if self._running:
            self._kill(set(self._running) - choose(sorted(self._running), talking(self._events[said:])))
            self._wait_for_ends(time.monotonic() + wait_s - REPLY_S)
        self._kill(set(self._running))
        self._guard.stop()
        self._epoll.close()

    def _kill(self, targets: set[int]) -> None:
        for target in targets:
            remote = self._running[target]
            remote.kill()
            self._end(remote)

    def _wait_for_ends(self, deadline: float) -> None:
        while self._running and time.monotonic() < deadline:
            self._serve(REAP_WAIT_S)
            self._reap_silent()

    # starting

    def _begin(self) -> None:
        """Start waiting shells up to the fanout."""
        under_way = sum(not remote.contact.has_started for remote in self._running.values()) if self._waiting else 0
        while self._waiting and under_way < self._fanout:
            self._start_one(self._waiting.popleft())
            under_way += 1

    def _start_one(self, target: int) -> None:
        host = self._hosts[target]
        contact = Contact(target, program=self._command.program, shell=self._shell.name, host=host)
        try:
            process = subprocess.Popen(
                self._shell.towards(host, self._command.on(host)),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,  # keeps the order of both
                bufsize=0,
                process_group=self._guard.group,  # not ours: Ctrl-C must reach the master only
            )
        except OSError as error:
            self._events.append(CatcherExited(target, 1, f"{self._shell.name} cannot be started: {error.strerror}"))
            return
        remote = _Remote(contact, process, time.monotonic() + self._answer_wait_s)
        self._running[target] = remote
        self._watch(remote, remote.output, select.EPOLLIN)

    def _watch(self, remote: _Remote, descriptor: int, events: int) -> None:
        self._epoll.register(descriptor, events)
        self._by_descriptor[descriptor] = remote

    def _unwatch(self, descriptor: int) -> None:
        if self._by_descriptor.pop(descriptor, None) is not None:
            self._epoll.unregister(descriptor)

    # serving

    def _serve(self, wait_s: float) -> None:
        if self._resting and time.monotonic() >= self._rested_at:
            self._listen_again()
        for descriptor, _ in self._epoll.poll(wait_s) if self._running else ():
            remote = self._by_descriptor.get(descriptor)
            if remote is None:
                continue  # it ended while an earlier descriptor was served
            if descriptor == remote.output:
                self._read(remote)
            elif not remote.write():
                self._unwatch(descriptor)

    def _rest(self, remote: _Remote) -> None:
        """Do not read this output for a while. Its end is noticed nevertheless."""
        self._epoll.modify(remote.output, 0)
        if not self._resting:
            self._rested_at = time.monotonic() + REST_S
        self._resting.add(remote)

    def _listen_again(self) -> None:
        resting, self._resting = self._resting, set()
        for remote in resting:
            if self._by_descriptor.get(remote.output) is remote:
                self._epoll.modify(remote.output, select.EPOLLIN)

    def _read(self, remote: _Remote) -> None:
        had_started = remote.contact.has_started
        lines, is_open = remote.lines.read(remote.contact.lines_wanted)
        for line in lines:
            if (event := remote.contact.receive_line(line)) is not None:
                self._events.append(event)
        if remote.contact.has_started and not had_started:
            own = self._own[remote.contact.target] if self._own else b""
            # Only now: before the marker, the reader may not be a catcher.
            opening = self._opening(remote.contact.bytecode)
            remote.unsent.extend(memoryview(part) for part in (opening, self._parameters + own) if part)
            if remote.write():
                self._watch(remote, remote.input, select.EPOLLOUT)
        if not is_open:
            self._unwatch(remote.output)
            if remote.has_ended(REAP_WAIT_S):
                self._end(remote)
        elif remote.contact.is_overfull:
            self._rest(remote)

    def _keep_time(self) -> None:
        now = time.monotonic()
        for remote in self._running.values():
            if not remote.contact.has_started and now >= remote.answer_by:
                remote.contact.judge(f"did not answer within {self._answer_wait_s:g} s; {NO_ANSWER}")
                remote.kill()
        self._reap_silent()

    def _reap_silent(self) -> None:
        """End shells whose process has exited, although a background process still holds their output open."""
        for remote in [remote for remote in self._running.values() if remote.has_ended(0)]:
            self._end(remote)

    def _end(self, remote: _Remote) -> None:
        """Collect the status and the last lines of a process that has exited or was killed."""
        status = remote.process.wait()
        if remote.output in self._by_descriptor:
            for _ in range(LAST_READS):
                lines, is_open = remote.lines.read(remote.contact.lines_wanted)
                self._events += filter(None, map(remote.contact.receive_line, lines))
                if not (lines and is_open):
                    break
        self._unwatch(remote.output)
        self._unwatch(remote.input)
        remote.close()
        del self._running[remote.contact.target]
        self._events.append(remote.contact.exited(status))


class _Remote:
    """One running remote shell with the data that is still to be written to it."""

    def __init__(self, contact: Contact, process: subprocess.Popen[bytes], answer_by: float) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.contact = contact
        self.process = process
        self.answer_by = answer_by
        self.unsent: deque[memoryview] = deque()  # views, as many targets get the same opening
        self._stdin = process.stdin
        self._stdout = process.stdout
        self.input = process.stdin.fileno()
        self.output = process.stdout.fileno()
        self.lines = LineReader(self.output)
        os.set_blocking(self.input, False)

    def write(self) -> bool:
        """Write as much as possible without blocking. Return whether data remains."""
        try:
            while self.unsent and not self._stdin.closed:
                self.unsent[0] = self.unsent[0][os.write(self.input, self.unsent[0]) :]
                if not self.unsent[0]:
                    self.unsent.popleft()
        except BlockingIOError:
            return True
        except BrokenPipeError:
            self.unsent.clear()  # the process is gone; the end of its output will show it
        return False

    def has_ended(self, wait_s: float) -> bool:
        """Wait up to wait_s seconds for the process to exit. Return whether it has."""
        try:
            self.process.wait(wait_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)

    def close_input(self) -> None:
        self._stdin.close()

    def close(self) -> None:
        self._stdin.close()
        self._stdout.close()


def _allow_descriptors(target_count: int) -> None:
    """Raise the soft limit of open files for the pipes of all targets.

    Raise StartError if the hard limit is too low.
    """
    wanted = target_count * DESCRIPTORS_EACH + DESCRIPTORS_SPARE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and wanted > hard:
        targets = counted(target_count, "target")
        raise StartError(f"a run with {targets} needs {wanted} open files, and only {hard} are allowed (ulimit -n)")
    if soft != resource.RLIM_INFINITY and wanted > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
