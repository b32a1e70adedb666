"""The validated parameters of runs: made by the command line, used by `cast`, `catch`, `rtt` and `doctor`.

They are named tuples, as in `outcome` and `observer`, because each frozen dataclass costs 0.3 ms at every start.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping

from mrsync.errors import FileError, ProtocolDataError, UsageError
from mrsync.tree.model.policy import Policy
from mrsync.tree.source.selection import Selection
from mrsync.tuples import NamedTuple
from mrsync.wire.limits import SECRET_BYTES
from mrsync.wire.seals.signing import KEY_BYTES

AUTO = "auto"  # in place of a group: choose one that nobody uses
ALTERNATES_MAX = 20  # directories of --link-dest, --copy-dest or --compare-dest, as in rsync
LOCAL = "local"  # in place of a remote shell: run catchers on this host


class GroupAddresses(NamedTuple):
    """The default groups of a program."""

    ipv4: str
    ipv6: str

    def of(self, family: int) -> str:
        return self.ipv6 if family == socket.AF_INET6 else self.ipv4


GROUPS = GroupAddresses("239.255.67.92", "ff15::efff:435c")  # the IPv6 address contains the IPv4 address
RTT_GROUPS = GroupAddresses("239.255.67.200", "ff15::efff:43c8")


class Network(NamedTuple):
    """Where the packets of a session go: data to `group` at `port`, reports to the master at `port` - 1."""

    group: str | None = None  # None: the default group of the targets' address family
    port: int = 8888
    ttl: int = 1
    has_loop: bool = False  # also deliver multicast on this host
    interface: str | None = None  # names, indices or addresses, separated by commas; None: by route to the targets
    is_unicast: bool = False  # send nothing to the group


class Remote(NamedTuple):
    """How to start catchers on targets."""

    python: str = "python3"  # words that need no quoting in any login shell
    user: str = ""  # remote user; empty: the remote shell's default
    is_sudo: bool = False
    sudo_only: frozenset[str] | None = None  # targets where is_sudo counts; None: on all
    rsync_path: str | None = None  # how rsync is started there, if it is to compare; None: with or without sudo
    ports: Mapping[str, int] = {}  # of remote shells, on targets that do not have the default one
    directory: str | None = None  # where targets have multicatcher installed; None: send it to them
    fanout: int = 64  # remote shells that connect at the same time; in the end all are running
    connect_timeout_s: float = 10.0
    topology: str | None = None  # path of ClusterShell's topology file: which gateways lead to which targets

    def rsync_on(self, host: str) -> str | None:
        """Return how rsync is started on a target, or None: as rsync does."""
        uses_sudo = self.is_sudo and (self.sudo_only is None or host in self.sudo_only)
        return self.rsync_path or ("sudo -n rsync" if uses_sudo else None)


SLOW_TARGET = ("wait", "shed")  # what happens with a target that alone holds back all others
SHARES = ("fair", "all", "polite")  # of the network, where others send too
COMPRESSIONS = ("auto", "zstd", "zlib", "none")  # of pages; auto: zstd if all ends have it
RELAYING = ("auto", "no")  # whether targets pass pages on to one another


class CastSettings(NamedTuple):
    """One sync of `source` to `targets`. A target's id is its index in that tuple."""

    source: bytes
    dest: bytes  # may contain {host}; empty if catchers are started by hand and know their own
    targets: tuple[str, ...]
    remote_shell: str | None  # None: catchers are started by hand
    secret: bytes
    network: Network = Network()
    relay: str = "auto"  # of RELAYING
    relay_chains: int = 1  # number of chains of relays, if no target receives the group
    rate_bytes_s: int | None = None
    share: str = SHARES[0]
    ack_wait_s: float = 60.0
    has_monitor: bool = True  # False: send at rate_bytes_s without flow control
    compression: str = "none"  # of COMPRESSIONS
    compress_level: int = 1  # 1 to 22; zlib has 9 at most
    is_encrypted: bool | None = None  # None: if all ends are able to; True: required; False: authenticate only
    quits_on_bad: bool = False
    stop_after: float | None = None  # minutes
    stop_at: float | None = None  # seconds since 1970
    slow_target: str = "wait"  # of SLOW_TARGET
    policy: Policy = Policy()
    selection: Selection = Selection()
    is_dry_run: bool = False
    verbosity: int = 0
    remote: Remote = Remote()
    signing_seed: bytes = b""  # SEED_BYTES; empty: nothing is signed
    own_secrets: tuple[bytes, ...] = ()  # one per target; empty: targets are able to impersonate one another
    session: int = 0  # its id; 0: draw one

    def dest_for(self, target: str) -> bytes:
        return dest_for(self.dest, target)

    def validated(self) -> CastSettings:
        """Return the settings. Raise UsageError if they contradict each other."""
        policy, selection, remote = self.policy, self.selection, self.remote
        if not self.has_monitor and self.rate_bytes_s is None:
            raise UsageError("-x needs --rate: without flow control there is no other limit")
        if self.remote_shell == LOCAL and (remote.directory or remote.topology):
            raise UsageError("--remote-dir and --topology are for other hosts, not for -r local")
        if policy.deletes_excluded and not policy.deletes:
            raise UsageError("--delete-excluded and --no-delete contradict each other")
        others = (policy.link_dests, policy.copy_dests, policy.compare_dests)
        if sum(map(bool, others)) > 1:
            raise UsageError("--link-dest, --copy-dest and --compare-dest cannot be mixed")
        if selection.is_list and any(others):
            raise UsageError("-l, --synclist and --compare rsync cannot be combined with --*-dest")
        if selection.is_list and not policy.modes:
            raise UsageError("-l, --synclist and --compare rsync cannot be combined with --no-perms")
        if selection.is_list and policy.keeps_dir_links:
            raise UsageError("-l, --synclist and --compare rsync cannot be combined with --keep-dirlinks")
        if max(map(len, others)) > ALTERNATES_MAX:
            raise UsageError(f"more than {ALTERNATES_MAX} directories for --{policy.alternates.use}-dest")
        is_late = policy.commit in ("end", "job")
        if policy.inplace and (is_late or policy.remove_first):
            raise UsageError(
                "--inplace cannot be combined with --commit end, --commit job or --remove-first: it changes old files "
                "before all new ones are complete"
            )
        if policy.remove_first and (policy.backup or is_late or policy.delta):
            raise UsageError(
                "-X cannot be combined with --backup, --delta, --commit end or --commit job, which need the old files"
            )
        return self


class RttSettings(NamedTuple):
    """One measurement of round trips: pages of page_bytes bytes, one after another, to all targets at once."""

    targets: tuple[str, ...]
    remote_shell: str | None  # None: rttcatchers are started by hand
    secret: bytes
    network: Network
    pages: int = 1000
    page_bytes: int = 64000
    verbosity: int = 0
    remote: Remote = Remote()


class DoctorSettings(NamedTuple):
    """One examination of targets with their networks and disks."""

    targets: tuple[str, ...]
    dest: bytes  # may contain {host}; empty: the directory in which a remote shell starts
    remote_shell: str
    secret: bytes
    network: Network
    rate_bytes_s: int = 25_000_000  # the rate of the full-speed test
    verbosity: int = 0
    remote: Remote = Remote()


class CatchSettings(NamedTuple):
    """Settings that a catcher must know before it receives anything."""

    target: int
    host: str
    dest: bytes
    secret: bytes
    network: Network = Network()
    verbosity: int = 0
    has_master: bool = True  # whether stdin comes from the master, so that its end means that the master is gone
    is_dry_run: bool = False
    master: str | None = None  # its address, whose route decides on the interface
    looks_ahead: bool = True  # read the destination while the master scans
    backup_suffix: str | None = None  # overrides the master's
    own_secret: bytes = b""  # empty: it uses the common secret
    verify_key: bytes = b""  # public key of the master; empty: it does not sign
    umask: int = 0o022  # of the user who receives; the catcher has another one


class Invitation(NamedTuple):
    """The parameters that all catchers of a run get on stdin, as one line that is the same for all.

    A catcher finds its own name on its command line.
    """

    targets: tuple[str, ...]
    dest: bytes  # may contain {host}
    secret: bytes
    network: Network = Network()
    masters: tuple[str, ...] = ()  # addresses of the master, one per interface
    behind: tuple[int | None, ...] = ()  # for each target the index of the address to use; empty: 0
    verbosity: int = 0
    is_dry_run: bool = False
    looks_ahead: bool = True
    has_own_secrets: bool = False  # whether a second line of stdin has this target's own secret
    verify_key: bytes = b""  # of the master's signatures; empty: it makes none

    def settings_for(self, target: str, own_secret: bytes = b"") -> CatchSettings:
        """Return the settings of one target, on that target.

        Raise ProtocolDataError if it is not invited, FileError if DEST has a ~ without a home directory.
        """
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
        """Return one line of JSON for the stdin of catchers. It contains the secret."""
        fields = self._asdict()
        fields["dest"] = os.fsdecode(self.dest)
        fields["secret"] = self.secret.hex()
        fields["verify_key"] = self.verify_key.hex()
        fields["network"] = self.network._asdict()
        return json.dumps(fields).encode() + b"\n"

    @classmethod
    def decode(cls, line: bytes) -> Invitation:
        """Decode a line from `encode`. Raise ProtocolDataError if it is malformed."""
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
            return cls(**fields)._checked()
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ProtocolDataError(f"the parameters on stdin make no sense: {error}") from error

    def _checked(self) -> Invitation:
        """Return the invitation. Raise ValueError if its parts do not fit together."""
        if not all(isinstance(name, str) for name in (*self.targets, *self.masters)):
            raise ValueError("a name that is not a text")
        if len(self.behind) not in (0, len(self.targets)):
            raise ValueError("not one interface for each target")
        for number in self.behind:
            if number is not None and (type(number) is not int or not 0 <= number < max(1, len(self.masters))):
                raise ValueError(f"there is no interface {number}")
        return self


def encode_own_secret(secret: bytes) -> bytes:
    """Return the second line for a catcher's stdin."""
    return secret.hex().encode() + b"\n"


def decode_own_secret(line: bytes) -> bytes:
    """Decode a line from `encode_own_secret`. Raise ProtocolDataError if it is malformed."""
    try:
        secret = bytes.fromhex(line.decode())
    except ValueError as error:
        raise ProtocolDataError("the secret on stdin makes no sense") from error
    if len(secret) != SECRET_BYTES:
        raise ProtocolDataError("the secret on stdin has a wrong length")
    return secret


def draw_own_secrets(count: int) -> tuple[bytes, ...]:
    """Return random secrets for `count` targets."""
    return tuple(os.urandom(SECRET_BYTES) for _ in range(count))


def draw_session() -> int:
    """Return a random session id."""
    return 1 << 63 | int.from_bytes(os.urandom(8), "big")  # the top bit: never NO_SESSION, whose keys KNOCK uses


def host_of(target: str) -> str:
    """Return a target without its remote user: root@node1 -> node1."""
    return target.rpartition("@")[2]


def dest_for(dest: bytes, target: str) -> bytes:
    """Return the destination directory on one target: replace {host} by its name."""
    return dest.replace(b"{host}", os.fsencode(host_of(target)))


def _expanded(dest: bytes) -> bytes:
    """Expand ~ or ~user, as a shell on this host would. Raise FileError if there is no such home directory."""
    expanded = os.path.expanduser(dest)
    if dest.startswith(b"~") and expanded == dest:
        raise FileError(f"there is no home directory for the destination {os.fsdecode(dest)}")
    return expanded
