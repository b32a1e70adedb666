"""multicatcher: a target's run from opening the sockets to the last rename."""

from __future__ import annotations

import gc
import os
import socket
import sys
from collections.abc import Sequence
from functools import partial

import mrsync
from mrsync.errors import ExitStatus, SocketError
from mrsync.protocol.catcher import Catcher
from mrsync.protocol.core.events import CatcherEvent, GroupGivenUp, GroupSilent
from mrsync.protocol.receiving.catcher_config import CatcherConfig
from mrsync.run.bootstrap import Readiness, own_interfaces, run_program, watch_for_the_end
from mrsync.run.catch.record_keeper import RecordKeeper
from mrsync.run.catch.session import TreeSession
from mrsync.run.sandbox import Sandbox
from mrsync.run.service import notify
from mrsync.run.settings import GROUPS, CatchSettings
from mrsync.transport.catcher_driver import CatcherDriver, CatcherSockets
from mrsync.transport.loop import Loop
from mrsync.transport.network.interface import Interface, family_of
from mrsync.transport.network.island import IslandSocket
from mrsync.transport.network.multicast import granted_buffer, open_data_socket, open_reply_socket, rejoin
from mrsync.transport.network.routes import own_family
from mrsync.transport.network.socket_options import describe_missing
from mrsync.transport.pages.compression import compressions_here
from mrsync.transport.pages.slots import SLOTS
from mrsync.transport.sessions import CatcherSecrets
from mrsync.tree.fs.descriptors import raise_descriptor_limit
from mrsync.wire.formats.session import Rejection
from mrsync.wire.messages import Ending
from mrsync.wire.seals.sealing import seals_here

FIRST_STATUS_S = 3600.0  # until a catcher without a master gives up
UNKNOWN_S = 2.0  # many times the interval of statuses


def catch(settings: CatchSettings) -> int:
    """Take part in one session; return the exit status. Raise MrsyncError if this host cannot take part at all."""
    gc.disable()  # our few reference cycles live long, and the search for them takes a tenth of a large comparison
    settings = settings._replace(umask=os.umask(0o077))
    raise_descriptor_limit()
    sandbox = Sandbox()
    sandbox.enter()
    family = family_of(settings.master) if settings.master is not None else own_family()
    group = settings.network.group or GROUPS.of(family)
    interfaces = own_interfaces(settings, group)
    loop = Loop()
    data = None if settings.network.is_unicast else _open_data_socket(settings, group, interfaces)
    sockets = CatcherSockets(data, open_reply_socket(family_of(group)), IslandSocket(interfaces))
    try:
        catcher = Catcher(_config(settings, sockets), loop.now())
        secrets = CatcherSecrets(settings.secret, settings.own_secret, settings.target, settings.verify_key)
        session = TreeSession(settings, catcher, loop, sandbox, RecordKeeper(settings.dest, secrets))
        driver = CatcherDriver(
            catcher,
            sockets,
            loop,
            secrets,
            masters=[found.at(settings.master, settings.network.port - 1) for found in interfaces if settings.master],
            rejoin=partial(_rejoin, data, group, interfaces),
            write=session.write,
            on_event=partial(_on_event, session),
            on_rejected=_Rejections(catcher, loop),
        )
        if missing := describe_missing(sockets.reply):
            _say(f"this host lacks {missing}; the session works all the same")
        watchdog = watch_for_the_end(settings, loop, lambda reason: catcher.stop(reason, loop.now()))
        if watchdog is not None:
            session.give_time_by(watchdog.postpone)
        _announce(settings, Readiness(interfaces[0].address, sockets.reply.getsockname()[1]))
        return _run(driver, session, loop, sandbox)
    finally:
        sockets.close()


def _run(driver: CatcherDriver, session: TreeSession, loop: Loop, sandbox: Sandbox) -> int:
    """Take part until the session has ended, and clean up. Return the exit status."""
    try:
        driver.run()
        return _exit_status(session)  # before the clean-up, so that the master knows that this host answers
    finally:
        for problem in sandbox.problems:
            _say(f"the sandbox is not complete here: {problem}")
        loop.close()
        session.clean_up()


def _announce(settings: CatchSettings, ready: Readiness) -> None:
    """Tell the master, or who started this program without one, that the catcher is ready."""
    if not settings.has_master and sys.stdout.isatty():
        _say(f"waiting for a master, for up to {FIRST_STATUS_S / 60:g} minutes")
    else:
        print(ready.encode(), flush=True)
    if not settings.has_master:  # else a systemd unit, if any, belongs to the master
        notify("READY=1")


def _open_data_socket(settings: CatchSettings, group: str, interfaces: Sequence[Interface]) -> socket.socket | None:
    """Join the group. Return None if that fails but the master can be asked for unicast; else raise SocketError."""
    try:
        return open_data_socket(interfaces, group, settings.network.port)
    except SocketError as error:
        if settings.master is None:
            raise
        _say(f"{error}; asking for unicast")
        return None


def _rejoin(data: socket.socket | None, group: str, interfaces: Sequence[Interface]) -> None:
    if data is not None:
        rejoin(data, group, interfaces)


def _config(settings: CatchSettings, sockets: CatcherSockets) -> CatcherConfig:
    return CatcherConfig(
        target=settings.target,
        instance=int.from_bytes(os.urandom(8), "big"),
        host=settings.host or socket.gethostname(),
        version=mrsync.__version__,
        seals=seals_here(),
        buffer_bytes=min(granted_buffer(opened) for opened in (sockets.data, sockets.reply) if opened is not None),
        retained_pages=SLOTS,
        wait_s=FIRST_STATUS_S,
        has_group=sockets.data is not None,
        knows_master=settings.master is not None,
        compressions=compressions_here(),
    )


def _on_event(session: TreeSession, event: CatcherEvent) -> None:
    if isinstance(event, GroupSilent) and event.was_heard:
        _say("no packet from the group for a while; joining it again")
    elif isinstance(event, GroupGivenUp):
        _say("joining the group again did not help, asking for unicast")
    session.on_event(event)


class _Rejections:
    """Report, once for each kind, that packets of foreign masters arrive, which may be why nothing else happens.

    Anyone can forge such packets. So it is reported only after UNKNOWN_S, and only while no session of ours is heard.
    """

    def __init__(self, catcher: Catcher, loop: Loop) -> None:
        self._catcher = catcher
        self._loop = loop
        self._since: dict[Rejection, float] = {}
        self._unsaid = {
            Rejection.FORGED: "packets come only from masters with another key",
            Rejection.VERSION: "packets come only from masters whose version of mrsync cannot work with this one;"
            " install the same on all hosts",
        }

    def __call__(self, rejection: Rejection) -> None:
        now = self._loop.now()
        if now - self._since.setdefault(rejection, now) < UNKNOWN_S or self._catcher.hears_session:
            return
        sentence = self._unsaid.pop(rejection, None)
        if sentence is not None:
            _say(sentence)


def _exit_status(session: TreeSession) -> ExitStatus:
    """Return OK only if everything is equal to the source. Print anything else to stderr."""
    ending = session.ending
    if ending is None or ending.ending is Ending.ABORTED:
        _say(f"aborted: {ending.reason if ending and ending.reason else 'the master ended the session'}")
        return ExitStatus.INTERRUPTED
    if ending.ending is not Ending.DONE:
        _say(f"{ending.ending.name.lower()}: {ending.reason}")
        return ExitStatus.PARTIAL
    if session.is_withdrawn:
        _say("nothing was changed here, because not every target could change everything")
        return ExitStatus.PARTIAL
    return ExitStatus.PARTIAL if session.errors else ExitStatus.OK


def _say(text: str) -> None:
    print(f"multicatcher: {text}", file=sys.stderr, flush=True)


def catch_from_stdin(target: str) -> int:
    """Run a launched catcher with parameters from stdin; return its exit status."""
    return run_program("multicatcher", catch, target)
