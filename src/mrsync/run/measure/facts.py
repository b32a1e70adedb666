"""The facts that a probe reports to the doctor, as lines of JSON on its stdout. decode_facts checks every value."""

from __future__ import annotations

import json
from typing import Any, TypeVar, Union

from mrsync.errors import ProtocolDataError
from mrsync.tuples import NamedTuple
from mrsync.wire.limits import TEXT_BYTES_MAX
from mrsync.wire.messages import Kind, Way

HEARD_PER_LINE = 500
NUMBER_MAX = 2**63

# Series of test pages, told apart by the generation in their headers. SIZES: pages of one packet, whose page number is
# its size. SLOW, FAST: pages at a rate.
SIZES = 1
SLOW = 2
FAST = 3


class HostFacts(NamedTuple):
    """Facts about the host that are known before any packet arrives. They come in the first line."""

    python: str = ""
    kernel: str = ""
    has_cryptography: bool = False
    interface: str = ""  # names of those towards the master, separated by commas
    route_problem: str = ""  # why there is no interface towards the master; then the probe listens on all
    address: str = ""
    mtu: int = 0
    reply_port: int = 0
    is_loopback: bool = False
    is_wireless: bool = False
    is_bridge_deaf: bool = False  # the interface is a bridge that snoops without a querier
    rp_filter: str = ""  # names of interfaces with a strict reverse path filter, separated by commas
    missing_options: str = ""  # socket options that the kernel or sandbox lacks, and the consequences
    missing_protections: str = ""  # of the sandbox, with commas
    buffer_bytes: int = 0  # size of the receive buffer that the kernel granted
    rmem_max: int = 0  # net.core.rmem_max; 0: not readable, as in a container
    clock_us: int = 0


NO_PARENT = "its parent directory does not exist"
NOT_DIRECTORY = "it is not a directory"


class DiskFacts(NamedTuple):
    """How fast DEST can be written, and how much room it has. Sent later, because the test takes a second."""

    path: str = ""  # the deepest directory of DEST that exists
    error: str = ""
    write_bytes_s: float = 0.0
    free_bytes: int = 0
    total_bytes: int = 0
    free_inodes: int = -1  # -1: the file system has no fixed number of inodes


class HostCounters(NamedTuple):
    """Counters of the kernel and the probe since the probe started."""

    group_packets_in: int = 0  # multicast packets that reached the IP layer
    group_packets_out: int = 0  # multicast packets sent, which include membership reports
    reverse_path_drops: int = 0
    socket_drops: int = 0  # at this probe's socket
    send_failures: int = 0
    last_failure: str = ""


class Heard(NamedTuple):
    """A ping or a page that arrived."""

    kind: int = Kind.PING
    way: int = Way.GROUP
    number: int = 0
    series: int = 0  # of pages
    interface: str = ""  # for the group: the interface, if it is not one towards the master
    ttl: int = 0


class VolumeFacts(NamedTuple):
    """How many of the pages of one series arrived, and how."""

    series: int = 0
    packets: int = 0
    bytes: int = 0
    seconds: float = 0.0  # from the first packet to the last


Facts = Union[HostFacts, DiskFacts, HostCounters, Heard, VolumeFacts]
T = TypeVar("T", HostFacts, DiskFacts, HostCounters, Heard, VolumeFacts)
_TYPES: dict[str, type[Any]] = {
    "host": HostFacts,
    "disk": DiskFacts,
    "counters": HostCounters,
    "heard": Heard,
    "volume": VolumeFacts,
}
_NAMES = {kind: name for name, kind in _TYPES.items()}


def encode_facts(facts: list[Facts]) -> str:
    """Return facts as one line of JSON without a newline."""
    return json.dumps({"facts": [[_NAMES[type(one)], *one] for one in facts]})


def decode_facts(line: bytes) -> list[Facts] | None:
    """Decode a line from encode_facts. Return None if it has no facts. Raise ProtocolDataError if it is malformed."""
    if not line.startswith(b'{"facts"'):
        return None
    try:
        rows = json.loads(line)["facts"]
        return [_decoded(_TYPES[row[0]], row[1:]) for row in rows]
    except (ValueError, TypeError, KeyError, IndexError, RecursionError) as error:
        raise ProtocolDataError(f"facts that make no sense: {error}") from error


def _decoded(kind: type[T], values: list[Any]) -> T:
    """Return the facts with values of the right number and types. Raise ValueError if they are not."""
    defaults = list(kind())
    if len(values) != len(defaults):
        raise ValueError(f"{len(values)} values for {len(defaults)} fields")
    return kind(*(_checked(value, default) for value, default in zip(values, defaults)))


def _checked(value: Any, default: Any) -> Any:
    if isinstance(default, bool):
        is_good = isinstance(value, bool)
    elif isinstance(default, str):
        is_good = isinstance(value, str) and len(value) <= TEXT_BYTES_MAX
    else:
        kinds = (int, float) if isinstance(default, float) else int
        is_good = isinstance(value, kinds) and not isinstance(value, bool) and abs(value) < NUMBER_MAX
    if not is_good:
        raise ValueError(f"{value!r:.40} where {type(default).__name__} belongs")
    return value if not isinstance(default, str) else "".join(c for c in value if c.isprintable())
