"""multicatcher: one target's whole run, from the sockets to the last rename."""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
from functools import partial
from typing import Callable

import mrsync
from mrsync.errors import MrsyncError
from mrsync.protocol.catcher import Catcher, CatcherConfig
from mrsync.run.settings import CatchSettings, Invitation, default_group
from mrsync.run.target import TargetTree
from mrsync.transport.catching import CatcherDriver
from mrsync.transport.interface import Interface, family_of, interface_named
from mrsync.transport.loop import Loop
from mrsync.transport.multicast import granted_buffer, open_data_socket, open_reply_socket
from mrsync.transport.routes import interfaces_towards_master, own_family
from mrsync.transport.slots import SLOTS
from mrsync.wire.messages import Ending
from mrsync.wire.sealing import seals_here
from mrsync.wire.session import Rejection

EXIT_PARTIAL = 23
EXIT_ABORTED = 20
READY_LINE = '{"ready": true}'
STDIN_BYTES = 4096


def catch(settings: CatchSettings) -> int:
    """Take part in one session; returns the exit status.

    Raises MrsyncError when this host cannot take part at all.
    """
    gc.disable()  # columns and numbers make no cycles; looking for some costs a tenth of a large comparison
    os.umask(0o077)
    group = settings.network.group or default_group(own_family())
    interfaces = _interfaces(settings, group)
    loop = Loop()
    data = open_data_socket(interfaces, group, settings.network.port)
    reply = open_reply_socket(family_of(group))
    try:
        catcher = Catcher(_config(settings, granted_buffer(data)), loop.now())
        tree = TargetTree(settings.dest, catcher, loop, is_dry_run=settings.is_dry_run)
        driver = CatcherDriver(
            catcher,
            data,
            reply,
            secret=settings.secret,
            write=tree.write,
            on_event=tree.on_event,
            on_rejected=_Strangers(),
            loop=loop,
        )
        _watch_for_the_end(settings, catcher, loop)
        print(READY_LINE, flush=True)
        try:
            driver.run()
        finally:
            loop.close()
            tree.clean_up()
        return _exit_status(tree)
    finally:
        data.close()
        reply.close()


def _interfaces(settings: CatchSettings, group: str) -> list[Interface]:
    """Where to listen."""
    if settings.network.interface is not None:
        return [interface_named(name.strip(), family_of(group)) for name in settings.network.interface.split(",")]
    return interfaces_towards_master(settings.master or group)


def _config(settings: CatchSettings, buffer_bytes: int) -> CatcherConfig:
    return CatcherConfig(
        target=settings.target,
        instance=int.from_bytes(os.urandom(8), "big"),
        host=settings.host or socket.gethostname(),
        version=mrsync.__version__,
        seals=seals_here(),
        buffer_bytes=buffer_bytes,
        retained_pages=SLOTS,
    )


def _watch_for_the_end(settings: CatchSettings, catcher: Catcher, loop: Loop) -> None:
    """The end of stdin is the end of the master; a signal is the end of this process."""

    def stop(reason: str) -> Callable[..., None]:
        return lambda *_: loop.post(partial(catcher.stop, reason))  # not in the middle of whatever the loop does

    def read_stdin() -> None:
        if not os.read(0, STDIN_BYTES):
            loop.unwatch(0)
            catcher.stop("the master is gone")

    if settings.has_master:
        loop.watch(0, read_stdin)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop(f"stopped by {signal.Signals(number).name}"))


class _Strangers:
    """Says once of each kind that there is a master who is not ours; otherwise one would wait and not know why."""

    def __init__(self) -> None:
        self._unknown = {
            Rejection.FORGED: "there is a master with another key",
            Rejection.VERSION: "there is a master with another version of the protocol",
        }

    def __call__(self, rejection: Rejection) -> None:
        sentence = self._unknown.pop(rejection, None)
        if sentence is not None:
            _say(sentence)


def _exit_status(tree: TargetTree) -> int:
    """0 only if everything is as in the source; says on stderr what is not."""
    ending = tree.ending
    if ending is None or ending.ending is Ending.ABORTED:
        _say(f"aborted: {ending.reason if ending and ending.reason else 'the master ended the session'}")
        return EXIT_ABORTED
    if ending.ending is not Ending.DONE:
        _say(f"{ending.ending.name.lower()}: {ending.reason}")
        return EXIT_PARTIAL
    return EXIT_PARTIAL if tree.errors else 0


def _say(text: str) -> None:
    print(f"multicatcher: {text}", file=sys.stderr, flush=True)


def catch_from_stdin(target: str) -> int:
    """The entry of a launched catcher: its invitation is the first line of stdin, which then stays open."""
    line = bytearray()
    while not line.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte:
            return EXIT_ABORTED
        line += byte
    try:
        return catch(Invitation.decode(bytes(line)).settings_for(target))
    except MrsyncError as error:
        print(f"multicatcher: {error}", file=sys.stderr, flush=True)
        return error.exit_status
