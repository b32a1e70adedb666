"""rttcatcher, the part of rtt on a target: echo pings and pages of one session after another until it is stopped."""

from __future__ import annotations

import gc
import os
from functools import partial

from mrsync.errors import ExitStatus
from mrsync.run.bootstrap import Readiness, own_interfaces, run_program, watch_for_the_end
from mrsync.run.settings import RTT_GROUPS, CatchSettings
from mrsync.transport.echoing import Echoer, EchoSocket
from mrsync.transport.loop import Loop
from mrsync.transport.network.interface import family_of
from mrsync.transport.network.multicast import open_data_socket, open_reply_socket
from mrsync.transport.network.routes import own_family
from mrsync.wire.messages import Way


def echo(settings: CatchSettings) -> int:
    """Echo until the master is gone or a signal arrives; return the exit status.

    Raise MrsyncError if this host cannot take part at all.
    """
    gc.disable()
    group = settings.network.group or RTT_GROUPS.of(own_family())
    interfaces = own_interfaces(settings, group)
    loop = Loop()
    data = open_data_socket(interfaces, group, settings.network.port)
    reply = open_reply_socket(family_of(group))
    ended: list[str] = []
    try:
        echoer = Echoer(
            reply, secret=settings.secret, target=settings.target, instance=int.from_bytes(os.urandom(8), "big")
        )
        for echo_socket in (EchoSocket(data, Way.GROUP), EchoSocket(reply, Way.OWN_PORT)):
            echoer.listen(echo_socket)
            loop.watch(echo_socket.socket, partial(echoer.receive, echo_socket))
        watch_for_the_end(settings, loop, ended.append)
        print(Readiness(interfaces[0].address, reply.getsockname()[1]).encode(), flush=True)
        while not ended:
            loop.wait(None)
        return ExitStatus.OK if settings.has_master else ExitStatus.INTERRUPTED
    finally:
        loop.close()
        data.close()
        reply.close()


def catch_from_stdin(target: str) -> int:
    """Run a launched rttcatcher with parameters from stdin; return its exit status."""
    return run_program("rttcatcher", echo, target)
