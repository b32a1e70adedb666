"""What every program on a target does alike: how it is told what to do, where it listens, and when it is over."""

from __future__ import annotations

import json
import os
import signal
import sys
from functools import partial
from typing import Callable, NamedTuple

from mrsync.errors import ExitStatus, MrsyncError
from mrsync.run.settings import CatchSettings, Invitation, decode_own_secret
from mrsync.run.watchdog import Watchdog
from mrsync.transport.interface import Interface, family_of, interface_named, is_address
from mrsync.transport.loop import Loop
from mrsync.transport.routes import interfaces_towards_master

STDIN_BYTES = 4096


class Readiness(NamedTuple):
    """What a catcher says when it listens: the address and port that its reports come from, as it knows them."""

    address: str = ""
    port: int = 0

    def encode(self) -> str:
        """One line, without its newline."""
        return json.dumps({"ready": True, "address": self.address, "port": self.port})

    @classmethod
    def decode(cls, line: bytes) -> Readiness | None:
        """The reverse; None if the line is something else. What makes no sense is as if it was not said."""
        if not line.startswith(b'{"ready"'):
            return None
        try:
            fields = json.loads(line)
        except (ValueError, RecursionError):
            return cls()
        address, port = fields.get("address"), fields.get("port")
        if isinstance(address, str) and is_address(address) and isinstance(port, int) and 0 < port < 65536:
            return cls(address, port)
        return cls()


def run_invited(name: str, run: Callable[[CatchSettings], int], target: str) -> int:
    """Run what the first lines of stdin say; the exit status. name: of the program, before what it says on stderr."""
    try:
        invitation = Invitation.decode(_read_line())
        own_secret = decode_own_secret(_read_line()) if invitation.has_own_secrets else b""
        return run(invitation.settings_for(target, own_secret))
    except EOFError:
        return ExitStatus.INTERRUPTED
    except MrsyncError as error:
        print(f"{name}: {error}", file=sys.stderr, flush=True)
        return error.exit_status


def _read_line() -> bytes:
    """The next line of stdin, and not one byte more; EOFError if the master is gone."""
    line = bytearray()
    while not line.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte:
            raise EOFError
        line += byte
    return bytes(line)


def own_interfaces(settings: CatchSettings, group: str) -> list[Interface]:
    """Where to listen: on those that were named, else by the route to the master."""
    if settings.network.interface is not None:
        return [interface_named(name.strip(), family_of(group)) for name in settings.network.interface.split(",")]
    return interfaces_towards_master(settings.master or group)


def watch_for_the_end(settings: CatchSettings, loop: Loop, stop: Callable[[str], None]) -> Watchdog | None:
    """Call stop(why) in the loop: the end of stdin is the end of the master; a signal is the end of this process.

    Return what ends the process if it does not end soon after its master.
    """
    watchdog = Watchdog(0, ExitStatus.INTERRUPTED) if settings.has_master else None

    def on_signal(reason: str) -> Callable[..., None]:
        return lambda *_: loop.post(partial(stop, reason))  # not in the middle of whatever the loop does

    def read_stdin() -> None:
        if not os.read(0, STDIN_BYTES):
            loop.unwatch(0)
            if watchdog is not None:
                watchdog.begin()  # the end of a file or a device is no hang-up
            stop("the master is gone")

    if settings.has_master:
        loop.watch(0, read_stdin)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, on_signal(f"stopped by {signal.Signals(number).name}"))
    return watchdog
