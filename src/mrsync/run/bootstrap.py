"""What all programs on a target share: reading their parameters, choosing interfaces, and noticing the end."""

from __future__ import annotations

import json
import os
import signal
import sys
from functools import partial
from typing import BinaryIO, Callable

from mrsync.errors import ExitStatus, MrsyncError, describe_shortage
from mrsync.run.settings import CatchSettings, Invitation, decode_own_secret
from mrsync.run.stop import ending_signals
from mrsync.run.watchdog import Watchdog
from mrsync.transport.loop import Loop
from mrsync.transport.network.interface import Interface, family_of, interface_named, is_bare_address
from mrsync.transport.network.routes import interfaces_towards_master
from mrsync.tuples import NamedTuple

STDIN_BYTES = 4096
WARNING = b"multicatcher: warning: "  # begins lines that the master shows however little is asked for


class Readiness(NamedTuple):
    """A catcher's message that it is listening, with the local address and port that it sends reports from."""

    address: str = ""
    port: int = 0

    def encode(self) -> str:
        """Return one line of JSON without a newline."""
        return json.dumps({"ready": True, "address": self.address, "port": self.port})

    @classmethod
    def decode(cls, line: bytes) -> Readiness | None:
        """Decode a line from encode.

        Return None for any other line. Leave out the address and port if they are invalid.
        """
        if not line.startswith(b'{"ready"'):
            return None
        try:
            fields = json.loads(line)
        except (ValueError, RecursionError):
            return cls()
        address, port = fields.get("address"), fields.get("port")
        if isinstance(address, str) and is_bare_address(address) and isinstance(port, int) and 0 < port < 65536:
            return cls(address, port)
        return cls()


def run_program(name: str, run: Callable[[CatchSettings], int], target: str) -> int:
    """Run a program with the parameters from the first lines of stdin; return its exit status.

    name: the program's name, which precedes its messages on stderr. run: the program. target: its own name among the
    invited.
    """
    try:
        with open(0, "rb", closefd=False) as stdin:
            invitation = Invitation.decode(_read_line(stdin))
            own_secret = decode_own_secret(_read_line(stdin)) if invitation.has_own_secrets else b""
        return run(invitation.settings_for(target, own_secret))
    except EOFError:
        return ExitStatus.INTERRUPTED
    except MrsyncError as error:
        print(f"{name}: {error}", file=sys.stderr, flush=True)
        return error.exit_status
    except (OSError, MemoryError, RuntimeError, ImportError) as error:
        if not (sentence := describe_shortage(error)):
            raise
        print(f"{name}: {sentence}", file=sys.stderr, flush=True)
        return ExitStatus.START


def _read_line(stdin: BinaryIO) -> bytes:
    """Return the next line. Raise EOFError if the master is gone.

    Bytes after the last line may be read as well: the master writes nothing there, only its end counts.
    """
    line = stdin.readline()
    if not line.endswith(b"\n"):
        raise EOFError
    return line


def own_interfaces(settings: CatchSettings, group: str) -> list[Interface]:
    """Return the interfaces to listen on: those named in the settings, or else those with a route to the master."""
    if settings.network.interface is not None:
        return [interface_named(name.strip(), family_of(group)) for name in settings.network.interface.split(",")]
    return interfaces_towards_master(settings.master or group)


def watch_for_the_end(settings: CatchSettings, loop: Loop, stop: Callable[[str], None]) -> Watchdog | None:
    """Call stop(reason) in the loop when stdin ends, which means that the master is gone, or when a signal arrives.

    Return the watchdog that ends this process if it does not end soon after its master; None without a master.
    """
    watchdog = Watchdog(0, ExitStatus.INTERRUPTED) if settings.has_master else None

    def on_signal(reason: str) -> Callable[..., None]:
        return lambda *_: loop.post(partial(stop, reason))  # a signal handler must not interrupt the state machine

    def read_stdin() -> None:
        if not os.read(0, STDIN_BYTES):
            loop.unwatch(0)
            if watchdog is not None:
                watchdog.begin()  # poll reports no hang-up at the end of a file or device
            stop("the master is gone")

    if settings.has_master:
        loop.watch(0, read_stdin)
    for number in ending_signals():
        signal.signal(number, on_signal(f"stopped by {signal.Signals(number).name}"))
    return watchdog
