"""What a run is asked to do, checked: made by the command line, read by `cast` and `catch`.

Named tuples, here and in `outcome` and `observer`, because a frozen dataclass costs 0.3 ms at every start.
"""

from __future__ import annotations

import json
import os
import socket
from typing import NamedTuple

from mrsync.errors import FileError, ProtocolDataError, UsageError
from mrsync.tree.model.policy import Policy
from mrsync.tree.source.selection import Selection
from mrsync.wire.limits import SECRET_BYTES
from mrsync.wire.signing import KEY_BYTES

AUTO = "auto"  # instead of a group: one that nobody uses
LOCAL = "local"  # the remote shell that is none


class GroupAddresses(NamedTuple):
    """Where those meet who are not told another group."""

    ipv4: str
    ipv6: str

    def of(self, family: int) -> str:
        return self.ipv6 if family == socket.AF_INET6 else self.ipv4


GROUPS = GroupAddresses("239.255.67.92", "ff15::efff:435c")  # the same number
RTT_GROUPS = GroupAddresses("239.255.67.200", "ff15::efff:43c8")


class Network(NamedTuple):
    """Where a session is spoken: data goes to `group` at `port`, reports to `port` - 1."""

    group: str | None = None  # None: the default one of the family that targets have
    port: int = 8888
    ttl: int = 1
    has_loop: bool = False  # hear ourselves on this host
    interface: str | None = None  # names, indices or addresses, with commas; None: by the route to the targets
    is_unicast: bool = False  # nothing goes to the group


class Remote(NamedTuple):
    """How catchers get to their targets."""

    python: str = "python3"  # words that every login shell takes as they are
    user: str = ""  # whom to be there; empty: whoever the remote shell takes
    is_sudo: bool = False
    directory: str | None = None  # where targets have multicatcher installed; None: it is sent to them
    fanout: int = 64  # remote shells under way at a time; all run in the end
    connect_timeout_s: float = 10.0
    topology: str | None = None  # a file that tells which gateways lead to which targets


RELAYING = ("auto", "no")  # whether targets pass pages on to one another


class CastSettings(NamedTuple):
    """One cast of `source` to `targets`; a target's id is its position in that tuple."""

    source: bytes
    dest: bytes  # may contain {host}; empty where catchers, started by hand, know their own
    targets: tuple[str, ...]
    remote_shell: str | None  # None: catchers are started by hand
    secret: bytes
    network: Network = Network()
    relay: str = "no"  # of RELAYING
    relay_chains: int = 1  # where nobody hears the group
    rate_bytes_s: int | None = None
    ack_wait_s: float = 60.0
    has_monitor: bool = True  # False: only the rate says how fast to send
    is_encrypted: bool | None = None  # None: encrypted where every end can; True: insist; False: authenticated only
    quits_on_bad: bool = False
    policy: Policy = Policy()
    selection: Selection = Selection()
    is_dry_run: bool = False
    verbosity: int = 0
    remote: Remote = Remote()
    signing_seed: bytes = b""  # SEED_BYTES; empty: nothing is signed
    own_secrets: tuple[bytes, ...] = ()  # one for each target; empty: what one says any other one could have said
    session: int = 0  # its id; 0: one is drawn

    def dest_for(self, target: str) -> bytes:
        return dest_for(self.dest, target)

    def validated(self) -> CastSettings:
        """Return itself. Raises UsageError if the settings contradict one another."""
        policy, selection, remote = self.policy, self.selection, self.remote
        if not self.has_monitor and self.rate_bytes_s is None:
            raise UsageError("-x needs --rate: without feedback nothing else says how fast to send")
        if self.remote_shell == LOCAL and (remote.directory or remote.topology):
            raise UsageError("--remote-dir and --topology lead to other hosts, -r local does not")
        if policy.deletes_excluded and not policy.deletes:
            raise UsageError("--delete-excluded and --no-delete contradict one another")
        if policy.prunes_empty and selection.files is not None:
            raise UsageError("--prune-empty-dirs cannot be given with --files-from")
        if policy.remove_first and (policy.backup or policy.commit == "job" or policy.delta):
            raise UsageError("-X removes at once what --backup, --delta and --commit job would still need")
        return self


class RttSettings(NamedTuple):
    """One measurement of round trips: pages of so many bytes, one after another, to all targets at once."""

    targets: tuple[str, ...]
    remote_shell: str | None  # None: rttcatchers are started by hand
    secret: bytes
    network: Network
    pages: int = 1000
    page_bytes: int = 64000
    verbosity: int = 0
    remote: Remote = Remote()


class DoctorSettings(NamedTuple):
    """One examination of targets, of their networks and of their disks."""

    targets: tuple[str, ...]
    dest: bytes  # may contain {host}; empty: where a remote shell begins
    remote_shell: str
    secret: bytes
    network: Network
    rate_bytes_s: int = 25_000_000  # that pages are cast at
    verbosity: int = 0
    remote: Remote = Remote()


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
    master: str | None = None  # its address: the interface is found by the route to it
    looks_ahead: bool = True  # read the destination while the master scans
    backup_suffix: str | None = None  # instead of the one that the master says
    own_secret: bytes = b""  # empty: the secret of all serves
    verify_key: bytes = b""  # of the master's signatures; empty: it makes none


class Invitation(NamedTuple):
    """What all catchers of a run are told on stdin, the same line to each; its own name it has on its command line."""

    targets: tuple[str, ...]
    dest: bytes  # may contain {host}
    secret: bytes
    network: Network = Network()
    masters: tuple[str, ...] = ()  # addresses of the master, one for each of its interfaces
    behind: tuple[int | None, ...] = ()  # for each target which of them it should look for; empty: the first
    verbosity: int = 0
    is_dry_run: bool = False
    looks_ahead: bool = True
    has_own_secrets: bool = False  # a second line of stdin has that of this target
    verify_key: bytes = b""  # of the master's signatures; empty: it makes none

    def settings_for(self, target: str, own_secret: bytes = b"") -> CatchSettings:
        """On the target. Raises ProtocolDataError for a stranger, FileError for the home directory of one."""
        if target not in self.targets:
            raise ProtocolDataError(f"{target} is not invited")
        number = self.targets.index(target)
        behind = self.behind[number] if self.behind else 0
        return CatchSettings(
            target=number,
            host=target,
            dest=_expanded(dest_for(self.dest, target)),
            secret=self.secret,
            network=self.network,
            verbosity=self.verbosity,
            is_dry_run=self.is_dry_run,
            master=self.masters[behind or 0] if self.masters else None,
            looks_ahead=self.looks_ahead,
            own_secret=own_secret,
            verify_key=self.verify_key,
        )

    def encode(self) -> bytes:
        """One line of JSON for the catchers' stdin; the secret is in it."""
        fields = self._asdict()
        fields["dest"] = os.fsdecode(self.dest)
        fields["secret"] = self.secret.hex()
        fields["verify_key"] = self.verify_key.hex()
        fields["network"] = self.network._asdict()
        return json.dumps(fields).encode() + b"\n"

    @classmethod
    def decode(cls, line: bytes) -> Invitation:
        """The reverse of `encode`. Raises ProtocolDataError."""
        try:
            fields = json.loads(line)
            fields["targets"] = tuple(fields["targets"])
            fields["dest"] = os.fsencode(fields["dest"])
            fields["secret"] = bytes.fromhex(fields["secret"])
            fields["verify_key"] = bytes.fromhex(fields["verify_key"])
            if len(fields["verify_key"]) not in (0, KEY_BYTES):
                raise ValueError("a public key of a wrong length")
            fields["network"] = Network(**fields["network"])
            fields["masters"] = tuple(fields["masters"])
            fields["behind"] = tuple(fields["behind"])
            return cls(**fields)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ProtocolDataError(f"the parameters on stdin make no sense: {error}") from error


def encode_own_secret(secret: bytes) -> bytes:
    """The second line for a catcher's stdin."""
    return secret.hex().encode() + b"\n"


def decode_own_secret(line: bytes) -> bytes:
    """The reverse of `encode_own_secret`. Raises ProtocolDataError."""
    try:
        secret = bytes.fromhex(line.decode())
    except ValueError as error:
        raise ProtocolDataError("the secret on stdin makes no sense") from error
    if len(secret) != SECRET_BYTES:
        raise ProtocolDataError("the secret on stdin has a wrong length")
    return secret


def draw_own_secrets(count: int) -> tuple[bytes, ...]:
    """For so many targets."""
    return tuple(os.urandom(SECRET_BYTES) for _ in range(count))


def draw_session() -> int:
    """A session's id."""
    return 1 << 63 | int.from_bytes(os.urandom(8), "big")  # never one that a knock could be of


def host_of(target: str) -> str:
    """A target without the user that a remote shell may be told before it: root@node1 -> node1."""
    return target.rpartition("@")[2]


def dest_for(dest: bytes, target: str) -> bytes:
    """The directory on one target."""
    return dest.replace(b"{host}", os.fsencode(host_of(target)))


def _expanded(dest: bytes) -> bytes:
    """A path below ~ or ~user, as the shell of the host that this runs on has it; raises FileError."""
    expanded = os.path.expanduser(dest)
    if dest.startswith(b"~") and expanded == dest:
        raise FileError(f"there is no home directory for the destination {os.fsdecode(dest)}")
    return expanded
