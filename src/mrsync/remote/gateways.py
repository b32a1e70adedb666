"""Start catchers through gateways, with ClusterShell's tree mode.

ClusterShell has its own event loop, so it runs in a thread. The thread hands over events in `_heard`, and its end in
`_problem` and `_is_over`, all under a lock, and wakes our loop through a pipe. Our commands reach it through
ClusterShell's port. Contacts are used by our loop only.
"""

from __future__ import annotations

import os
import shlex
import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from ClusterShell.Event import EventHandler
from ClusterShell.NodeSet import NodeSet
from ClusterShell.Task import task_self
from ClusterShell.Worker.Rsh import WorkerRsh
from ClusterShell.Worker.Ssh import WorkerSsh

from mrsync.errors import StartError
from mrsync.escaping import escape_controls
from mrsync.remote.command import CatcherCommand, RemoteShell
from mrsync.remote.contact import Contact
from mrsync.remote.launcher import REPLY_S, Choice, LaunchEvent, talking, wait_for_all

ABORT_WAIT_S = 2.0
# Added to ClusterShell's fanout, which counts running commands, gateways included. Catchers run until the end of the
# sync, so with too small a fanout the remaining ones would never start.
ROOM_FOR_GATEWAYS = 64


class GatewayLauncher:
    """Launcher that starts all catchers as one ClusterShell worker with a common stdin.

    Gateways confuse the stdin of several workers, hence only one. Gateways need Python and ClusterShell. The secret
    passes through them, so they must be trusted like the master.

    topology: path of ClusterShell's file. opening: what is sent to catchers before the parameters. answer_wait_s: from
    the start to the last answer.
    """

    def __init__(
        self,
        shell: RemoteShell,
        command: CatcherCommand,
        hosts: Sequence[str],
        *,
        topology: str,
        opening: bytes,
        answer_wait_s: float,
    ) -> None:
        self._shell = shell
        self._command = command
        self._hosts = hosts
        self._topology = topology
        self._feed = opening
        self._answer_wait_s = answer_wait_s
        self._answer_by = float("inf")
        self._contacts = {
            host: Contact(target, program=command.program, shell=shell.name, host=host)
            for target, host in enumerate(hosts)
        }
        self._gateways: dict[str, Contact] = {}  # gateways that wrote something
        self._thread = threading.Thread(target=self._run, name="gateways", daemon=True)
        self._lock = threading.Lock()  # protects _heard, _problem and _is_over
        self._heard: deque[tuple[str, bytes | int | str]] = deque()  # arguments of `tell`
        self._problem = ""  # why the whole tree failed
        self._is_over = False
        self._wake_ours, self._wake_theirs = os.pipe()
        os.set_blocking(self._wake_ours, False)
        os.set_blocking(self._wake_theirs, False)
        self._port: Any = None
        self._is_ready = threading.Event()

    def start(self, parameters: bytes, own: Sequence[bytes] = ()) -> None:
        if own:
            raise ValueError("behind gateways all targets share one stdin")
        self._feed += parameters
        self._answer_by = time.monotonic() + self._answer_wait_s
        self._thread.start()
        self._is_ready.wait()
        if self._is_over and self._problem:
            raise StartError(self._problem)

    def fileno(self) -> int:
        return self._wake_ours

    def take_events(self) -> list[LaunchEvent]:
        with suppress(BlockingIOError):
            os.read(self._wake_ours, 65536)
        with self._lock:
            heard, self._heard = self._heard, deque()
            problem, is_over = self._problem, self._is_over
        events = [self._understand(host, what) for host, what in heard]
        return [event for event in events if event is not None and event.target >= 0] + self._give_up(problem, is_over)

    def stop(self, wait_s: float, choose: Choice = wait_for_all) -> None:
        if self._thread.is_alive():
            self._port.msg_send("end of stdin")
            self._thread.join(min(REPLY_S, wait_s))
            if self._thread.is_alive() and self._must_wait(choose):
                self._thread.join(max(0.0, wait_s - REPLY_S))
        if self._thread.is_alive():
            self._port.msg_send("abort")
            self._thread.join(ABORT_WAIT_S)
        if not self._thread.is_alive():  # else it still waits for a remote shell; as a daemon thread it ends with us
            os.close(self._wake_ours)
            os.close(self._wake_theirs)

    def _must_wait(self, choose: Choice) -> bool:
        """Return whether one of the targets that still run is to be waited for. They can only be ended all together."""
        events = self.take_events()
        return bool(choose(sorted(contact.target for contact in self._contacts.values()), talking(events)))

    def _understand(self, host: str, what: bytes | int | str) -> LaunchEvent | None:
        contact = self._contacts.get(host)
        if isinstance(what, bytes):
            return (contact or self._gateway(host)).receive_line(what)
        if contact is None:
            return None
        if isinstance(what, str):
            contact.judge(self._words_of(what))
            what = 1
        return self._contacts.pop(host).exited(what)

    def _gateway(self, name: str) -> Contact:
        return self._gateways.setdefault(name, Contact(-1, program="ClusterShell", shell=self._shell.name, host=name))

    def _words_of(self, gateway: str) -> str:
        return f"gateway {gateway}: {self._gateway(gateway).exited(255).reason}"

    def _give_up(self, problem: str, is_over: bool) -> list[LaunchEvent]:
        """Return the ends of targets that did not answer in time. If the tree has failed, those of all targets."""
        is_late = time.monotonic() >= self._answer_by
        reason = f"did not answer within {self._answer_wait_s:g} s"
        if is_over:
            reason = "; ".join(map(self._words_of, self._gateways)) or problem or "the gateways ended"
        events: list[LaunchEvent] = []
        for host, contact in list(self._contacts.items()):
            if is_over or (is_late and not contact.has_started):
                contact.judge(reason)
                events.append(self._contacts.pop(host).exited(1))
        return events

    # in ClusterShell's thread

    def _run(self) -> None:
        try:
            self._drive()
        except Exception as error:  # any failure of the tree becomes the reason of all its targets
            self._tell_problem(escape_controls(str(error)) or type(error).__name__)
        finally:
            with self._lock:
                self._is_over = True
            self._is_ready.set()
            self._wake()

    def _drive(self) -> None:
        task = task_self()
        task.set_info("fanout", len(self._hosts) + ROOM_FOR_GATEWAYS)
        task.set_default("stdout_msgtree", False)
        words = self._shell.words
        if self._shell.name == "ssh":
            task.set_default("distant_worker", WorkerSsh)
            task.set_info("ssh_path", words[0])
            task.set_info("ssh_options", shlex.join(words[1:]))
        else:
            task.set_default("distant_worker", WorkerRsh)
            task.set_info("rsh_path", shlex.join(words))
        task.load_topology(self._topology)
        ear = _WorkerEvents(self)
        worker = task.shell(
            self._line(), nodes=NodeSet.fromlist(self._hosts), handler=ear, tree=True, remote=False, stderr=False
        )
        ear.worker = worker
        worker.write(self._feed)
        self._port = task.port(handler=ear, autoclose=True)
        self._is_ready.set()
        task.resume()

    def _line(self) -> str:
        """Return the command for a gateway's shell. ClusterShell replaces %h by the name of the target."""
        here = [word.replace("%", "%%") for word in self._shell.words]
        return f"exec {shlex.join(here)} %h {shlex.quote(self._command.on('%h'))}"

    def _tell_problem(self, problem: str) -> None:
        with self._lock:
            self._problem = problem

    def tell(self, host: str, what: bytes | int | str) -> None:
        """Pass an event from the thread to the loop.

        what: a line (bytes), the exit status of a remote shell (int), or the gateway through which the target was lost
        (str).
        """
        with self._lock:
            self._heard.append((host, what))
        self._wake()

    def _wake(self) -> None:
        with suppress(BlockingIOError):  # the pipe is full of wake-ups, so one more is not needed
            os.write(self._wake_theirs, b".")


class _WorkerEvents(EventHandler):  # type: ignore[misc]  # ClusterShell has no type hints
    """Handler in the thread: pass the worker's events to the launcher, and carry out commands from the port."""

    worker: Any = None

    def __init__(self, launcher: GatewayLauncher) -> None:
        self._launcher = launcher

    def ev_read(self, worker: Any, node: str, sname: str, msg: bytes) -> None:
        self._launcher.tell(node, msg)

    def ev_hup(self, worker: Any, node: str, rc: int) -> None:
        self._launcher.tell(node, rc)

    def _ev_routing(self, worker: Any, arg: dict[str, Any]) -> None:
        """Report rerouted targets as lost: ClusterShell does not repeat the stdin that the failed gateway had got."""
        if arg["event"] == "reroute":
            for node in arg["targets"]:
                self._launcher.tell(str(node), str(arg["gateway"]))

    def ev_msg(self, port: Any, msg: str) -> None:
        if msg == "abort":
            task_self().abort()
        else:
            self.worker.set_write_eof()
