"""What a run is asked to do, checked: made by the command line, read by `cast` and `catch`.

Named tuples, here and in `outcome` and `observer`, because a frozen dataclass costs 0.3 ms at every start.
"""

from __future__ import annotations

import json
import os
from typing import NamedTuple

from mrsync.errors import ProtocolDataError


class Network(NamedTuple):
    """Where a session is spoken: data goes to `group` at `port`, reports to `port` - 1."""

    group: str = "239.255.67.92"
    port: int = 8888
    ttl: int = 1
    has_loop: bool = False  # hear ourselves on this host
    interface: str | None = None  # name, index or address; None: by the route to the targets


class CastSettings(NamedTuple):
    """One cast of `source` to `targets`; a target's id is its position in that tuple."""

    source: bytes
    dest: bytes  # may contain {host}; empty where catchers, started by hand, know their own
    targets: tuple[str, ...]
    remote_shell: str | None  # None: catchers are started by hand
    secret: bytes
    network: Network = Network()
    rate_bytes_s: int | None = None
    ack_wait_s: float = 60.0
    is_encrypted: bool | None = None  # None: encrypted where every end can; True: insist; False: authenticated only
    quits_on_bad: bool = False
    deletes: bool = True
    is_dry_run: bool = False
    verbosity: int = 0

    def dest_for(self, host: str) -> bytes:
        return self.dest.replace(b"{host}", os.fsencode(host))


class CatchSettings(NamedTuple):
    """What one catcher needs to know before it hears the group."""

    target: int
    host: str
    dest: bytes
    secret: bytes
    network: Network = Network()
    verbosity: int = 0
    has_master: bool = True  # the end of stdin is the end of the master
    is_dry_run: bool = False

    def encode(self) -> bytes:
        """One line of JSON for the catcher's stdin; the secret is in it."""
        fields = self._asdict()
        fields["dest"] = os.fsdecode(self.dest)
        fields["secret"] = self.secret.hex()
        fields["network"] = self.network._asdict()
        return json.dumps(fields).encode() + b"\n"

    @classmethod
    def decode(cls, line: bytes) -> CatchSettings:
        """The reverse of `encode`. Raises ProtocolDataError."""
        try:
            fields = json.loads(line)
            fields["dest"] = os.fsencode(fields["dest"])
            fields["secret"] = bytes.fromhex(fields["secret"])
            fields["network"] = Network(**fields["network"])
            return cls(**fields)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ProtocolDataError(f"the parameters on stdin make no sense: {error}") from error
