"""What a probe on a target tells the doctor, one JSON object per line on its stdout; all of it is doubted when read."""

from __future__ import annotations

import json
from typing import Any, NamedTuple, TypeVar, Union

from mrsync.errors import ProtocolDataError
from mrsync.wire.limits import TEXT_BYTES_MAX
from mrsync.wire.messages import Kind, Way

HEARD_PER_LINE = 500
NUMBER_MAX = 2**63

SIZES = 1  # the generation of pages that are one packet, whose number is its size
SLOW = 2  # and of those that are cast at a rate
FAST = 3


class HostFacts(NamedTuple):
    """What is known before anything comes in; the first line."""

    python: str = ""
    kernel: str = ""
    has_cryptography: bool = False
    interface: str = ""  # towards the master, with commas if several
    route_problem: str = ""  # why that is not known; then all interfaces are listened on
    address: str = ""
    mtu: int = 0
    reply_port: int = 0
    is_loopback: bool = False
    is_wireless: bool = False
    is_bridge_deaf: bool = False  # it is a bridge that snoops, and nobody queries
    rp_filter: str = ""  # interfaces with strict reverse path filters, with commas
    missing_options: str = ""  # socket options that the kernel or sandbox lacks, and what that means
    missing_protections: str = ""  # of the sandbox, with commas
    buffer_bytes: int = 0  # granted
    rmem_max: int = 0  # 0: not to be seen here
    clock_us: int = 0


class DiskFacts(NamedTuple):
    """How DEST takes data; comes later, for it takes a second."""

    path: str = ""  # the deepest directory that is there
    error: str = ""
    write_bytes_s: float = 0.0
    free_bytes: int = 0
    total_bytes: int = 0
    free_inodes: int = -1  # -1: the file system counts none


class HostCounters(NamedTuple):
    """What the kernel and the probe counted since the probe began."""

    group_packets_in: int = 0  # that reached the IP layer and went to a group joined here
    group_packets_out: int = 0  # reports of membership among them
    reverse_path_drops: int = 0
    socket_drops: int = 0  # at this probe's socket
    send_failures: int = 0
    last_failure: str = ""


class Heard(NamedTuple):
    """A ping or a page that came in."""

    kind: int = Kind.PING
    way: int = Way.GROUP
    number: int = 0
    generation: int = 0
    interface: str = ""  # where else than towards the master, for the group
    ttl: int = 0


class VolumeFacts(NamedTuple):
    """What came of the pages of one generation."""

    generation: int = 0
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
    """One line, without its newline."""
    return json.dumps({"facts": [[_NAMES[type(one)], *one] for one in facts]})


def decode_facts(line: bytes) -> list[Facts] | None:
    """The reverse; None for a line that tells no facts. Raises ProtocolDataError for one that makes no sense."""
    if not line.startswith(b'{"facts"'):
        return None
    try:
        rows = json.loads(line)["facts"]
        return [_decoded(_TYPES[row[0]], row[1:]) for row in rows]
    except (ValueError, TypeError, KeyError, IndexError, RecursionError) as error:
        raise ProtocolDataError(f"facts that make no sense: {error}") from error


def _decoded(kind: type[T], values: list[Any]) -> T:
    """Every value is of the type and within the bounds of its field."""
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
