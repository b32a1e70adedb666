"""Turn the evidence about one target into findings: what is wrong, the likely cause, and a remedy.

Each rule looks at one possible problem and returns a finding or None. Some rules explain the same symptom, so those
for a target that does not receive the group are tried in order and only the first finding counts: a more specific
test (another TTL or another interface worked) precedes a more general conclusion (the network does not forward it).
"""

from __future__ import annotations

from collections.abc import Callable

from mrsync.remote.targets import fold
from mrsync.run.measure.evidence import Evidence, Setting
from mrsync.run.measure.facts import HostFacts
from mrsync.tuples import NamedTuple

BUFFER_WANTED_BYTES = 32 << 20
BUFFER_MIN_BYTES = 1 << 20  # with less, the window is only a few pages, and the sync is slow
BUFFER_GOOD_BYTES = 8 << 20  # about 6 ms of data at 10 Gbit/s
LOSS_MAX = 0.01
TIMES_SLOWER = 1.25  # of the time to send, above which receiving counts as too slow
DISK_MIN_BYTES_S = 20e6
ROOM_MIN_BYTES = 64 << 20
INODES_MIN = 1000
CLOCK_MAX_S = 2.0


class Finding(NamedTuple):
    """A problem (is_fault) or a remark. Equal findings of many targets are shown once."""

    cause: str
    detail: str
    remedy: str
    is_fault: bool = True


def diagnose(seen: Evidence, setting: Setting) -> list[Finding]:
    """Return all findings about a target, faults first; empty if nothing is wrong. setting: what all targets share."""
    if seen.facts is None:
        detail, _, remedy = (seen.reason or "its probe did not answer").partition("; ")
        return [Finding("not reachable", detail, remedy or "make the remote shell (-r) work first")]
    found = [rule(seen, seen.facts, setting) for rule in _RULES]
    known = [finding for finding in found if finding is not None]
    return sorted(known, key=lambda finding: not finding.is_fault)


def _deafness(seen: Evidence, facts: HostFacts, setting: Setting) -> Finding | None:
    """Find out why the target does not receive the group."""
    if not seen.is_deaf:
        return None
    for rule in (_wrong_ttl, _wrong_interface, _no_route, _data_arrived, _membership, _firewall, _network_between):
        if finding := rule(seen, facts, setting):
            return finding
    return None


def _wrong_ttl(seen: Evidence, facts: HostFacts, setting: Setting) -> Finding | None:
    if seen.ttl_needed > setting.ttl:
        return Finding(
            "TTL too small",
            f"multicast with TTL {setting.ttl} does not arrive there, with {seen.ttl_needed} it does",
            f"use -T {seen.ttl_needed}",
        )
    return None


def _wrong_interface(seen: Evidence, facts: HostFacts, setting: Setting) -> Finding | None:
    if seen.counters.reverse_path_drops:
        return Finding(
            "rp_filter drops data",
            f"packets arrive on an interface that is not on the route to the master ({facts.rp_filter or 'strict'})",
            "sysctl -w net.ipv4.conf.all.rp_filter=2 there, or route the master by the interface they come in on",
        )
    if seen.elsewhere:
        return Finding(
            "wrong interface",
            f"the group arrives on {seen.elsewhere} there, but the route to the master is by {facts.interface}",
            f"route the master by {seen.elsewhere} there",
        )
    if seen.heard_from:
        return Finding(
            "wrong interface",
            f"multicast sent on {setting.interfaces} here does not arrive there, on {seen.heard_from} it does",
            f"use -I {seen.heard_from}",
        )
    return None


def _no_route(seen: Evidence, facts: HostFacts, setting: Setting) -> Finding | None:
    if not facts.route_problem:
        return None
    return Finding(
        "no route to the master",
        facts.route_problem,
        f"add a route there, or cast on another interface here than {setting.interfaces} (-I)",
    )


def _data_arrived(seen: Evidence, facts: HostFacts, setting: Setting) -> Finding | None:
    if seen.counters.group_packets_in < seen.group.sent:
        return None
    remedy = f"allow UDP to {setting.group}, port {setting.port}, on the target"
    return Finding("firewall drops data", "the group reaches the host, but not the program", remedy)


def _membership(seen: Evidence, facts: HostFacts, setting: Setting) -> Finding | None:
    """Report that no IGMP or MLD report left the host.

    A switch with snooping forwards nothing without a report. Other switches forward the group regardless.
    """
    if seen.counters.group_packets_out or facts.is_loopback:
        return None
    protocol = "MLD" if ":" in setting.group else "IGMP"
    return Finding(
        f"firewall drops {protocol}",
        "the host joined the group, but no report of it left the host",
        f"allow {protocol} in the firewall of the target",
        is_fault=seen.is_deaf,
    )


def _firewall(seen: Evidence, facts: HostFacts, setting: Setting) -> Finding | None:
    place = f"allow UDP to {setting.group}, port {setting.port}, on the target or on the way"
    if not seen.port.heard and seen.own.heard:
        return Finding(
            "firewall drops data",
            f"nothing arrives at UDP port {setting.port}, not even unicast",
            place,
        )
    if not seen.port.heard and not seen.own.heard:
        return Finding("firewall drops data", "no UDP arrives there, not even unicast", place)
    return None


def _network_between(seen: Evidence, facts: HostFacts, setting: Setting) -> Finding | None:
    if seen.routers:
        return Finding(
            "router does not forward the group",
            f"{seen.routers} between, and unicast passes; no TTL helps",
            "set up multicast routing (PIM, smcroute); until then it gets a copy of its own by unicast",
        )
    if facts.is_wireless:
        return Finding("WiFi", "the access point does not pass multicast on", "use a cable, or --unicast")
    return Finding(
        "network does not forward the group",
        "unicast to the same port passes, membership is reported: IGMP is dropped on the way, or a switch snoops"
        " without a querier",
        "allow IGMP, and enable a querier on the switch or disable snooping; until then it gets a copy of its own"
        " by unicast",
    )


def _muteness(seen: Evidence, facts: HostFacts, setting: Setting) -> Finding | None:
    if not seen.is_mute or seen.heard_from:
        return None
    if facts.route_problem:
        return _no_route(seen, facts, setting)
    port = setting.port - 1
    if seen.counters.send_failures:
        return Finding(
            "firewall drops reports",
            f"its own firewall refuses to send ({seen.counters.last_failure})",
            f"on the target, allow UDP to port {port} of the master",
        )
    place = (
        "allow UDP port {} on the master"
        if setting.is_everyone_mute
        else "allow UDP to port {} of the master on the way"
    )
    return Finding("firewall drops reports", "it receives packets, but no report comes back", place.format(port))


def _only_answers(seen: Evidence, facts: HostFacts, setting: Setting) -> Finding | None:
    if seen.is_unasked_heard or seen.is_mute:
        return None
    port = setting.port - 1
    return Finding(
        "firewall accepts only replies",
        f"UDP to port {port} here is accepted only from hosts to which this host has sent packets",
        f"none is needed, because a sync sends first; to be sure allow UDP port {port} on the master",
        is_fault=False,
    )


def _unreported(seen: Evidence, facts: HostFacts, setting: Setting) -> Finding | None:
    """Report missing membership reports of a target that receives the group today, but may not on another switch."""
    return None if seen.is_deaf else _membership(seen, facts, setting)


def _forgotten(seen: Evidence, facts: HostFacts, setting: Setting) -> Finding | None:
    """Report a group that was received at first but no longer when the pages were sent, as after a snooping timeout."""
    if seen.is_deaf or not seen.fast.packets_sent or seen.fast.packets or 0 < seen.mtu_passed < seen.mtu_sent:
        return None
    return Finding(
        "switch snoops without a querier",
        "the group was received for some seconds after joining, and then no longer",
        "enable a querier on the switch, or disable snooping; until then catchers join again, or get unicast",
    )


def _mtu(seen: Evidence, facts: HostFacts, setting: Setting) -> Finding | None:
    if seen.is_deaf or not seen.mtu_passed < seen.mtu_sent or _forgotten(seen, facts, setting):
        return None
    passed = f"packets of {seen.mtu_passed} do" if seen.mtu_passed else "smaller ones do not either"
    return Finding(
        "MTU",
        f"packets of {seen.mtu_sent} bytes do not arrive there, {passed} (its interface says {facts.mtu})",
        f"set the MTU of {setting.interfaces} here to {seen.mtu_passed or 1280}, or fix the path",
    )


def _buffers(seen: Evidence, facts: HostFacts, setting: Setting) -> Finding | None:
    drops = seen.counters.socket_drops
    if facts.buffer_bytes >= BUFFER_GOOD_BYTES and not drops:
        return None
    dropped = f", {drops} packets were dropped there" if drops else ""
    return Finding(
        "small buffers",
        f"sockets get {facts.buffer_bytes} bytes{dropped}",
        f"sysctl -w net.core.rmem_max={BUFFER_WANTED_BYTES} there",
        is_fault=bool(drops) or facts.buffer_bytes < BUFFER_MIN_BYTES,
    )


def _speed(seen: Evidence, facts: HostFacts, setting: Setting) -> Finding | None:
    """Distinguish a slow link, which loses packets at the full rate only, from a bad one."""
    fast, slow = seen.fast, seen.slow
    if seen.is_deaf or not fast.packets_sent or seen.counters.socket_drops or not fast.packets:
        return None  # without any packet there is no rate to judge
    if slow.loss > LOSS_MAX:
        return _loss(slow.loss, facts)
    if fast.loss > LOSS_MAX or fast.seconds > TIMES_SLOWER * fast.seconds_sent:
        if facts.is_wireless:
            return Finding("WiFi", f"it takes {_bits(fast.rate_bytes_s)} of multicast", "use a cable, or --unicast")
        return Finding(
            "slow link",
            f"it takes {_bits(fast.rate_bytes_s)}; it was sent {_bits(setting.rate_bytes_s)}",
            "check port and cable; mrsync adapts to the slowest target, or remove it",
        )
    return None


def _loss(share: float, facts: HostFacts) -> Finding:
    if facts.is_wireless:
        return Finding("WiFi", f"{_percent(share)} of the packets are lost", "use a cable, or --unicast")
    return Finding(
        "loss",
        f"{_percent(share)} of the packets are lost at any rate",
        "check cable, duplex and error counters (ip -s link)",
    )


def _disk(seen: Evidence, facts: HostFacts, setting: Setting) -> Finding | None:
    disk = seen.disk
    if disk is None:
        return None
    if disk.error:
        return Finding("cannot write", f"{disk.path}: {disk.error}", "let this user write to DEST there, or use --sudo")
    if disk.free_bytes < ROOM_MIN_BYTES or 0 <= disk.free_inodes < INODES_MIN:
        what = "bytes" if disk.free_bytes < ROOM_MIN_BYTES else "inodes"
        return Finding("disk full", f"{disk.path}: almost no {what} are free", "free space there, or use -X")
    if disk.write_bytes_s < DISK_MIN_BYTES_S:
        return Finding(
            "slow disk",
            f"{disk.path} takes {_two_digits(disk.write_bytes_s / 1e6)} MB/s",
            "mrsync adapts to the slowest target, or remove it",
            is_fault=False,
        )
    return None


def _wireless(seen: Evidence, facts: HostFacts, setting: Setting) -> Finding | None:
    if not facts.is_wireless or seen.is_deaf:
        return None
    return Finding("WiFi", f"{facts.interface} is wireless: multicast is slow there", "use a cable", is_fault=False)


def _meetings(seen: Evidence, facts: HostFacts, setting: Setting) -> Finding | None:
    if not seen.unreached:
        return None
    return Finding(
        "targets do not reach each other",
        f"{fold(list(seen.unreached))} got no UDP from it, so it cannot pass pages on to them",
        "allow UDP between all ports of the targets; until then the master sends more copies",
        is_fault=False,
    )


def _bridge(seen: Evidence, facts: HostFacts, setting: Setting) -> Finding | None:
    if not facts.is_bridge_deaf:
        return None
    remedy = f"echo 1 > /sys/class/net/{facts.interface}/bridge/multicast_querier there"
    return Finding("bridge snoops without a querier", "after some minutes it may stop forwarding", remedy, False)


def _encryption(seen: Evidence, facts: HostFacts, setting: Setting) -> Finding | None:
    if facts.has_cryptography:
        return None
    return Finding(
        "not encrypted", "cryptography is missing or broken", "pip install cryptography there", is_fault=False
    )


def _options(seen: Evidence, facts: HostFacts, setting: Setting) -> Finding | None:
    if not facts.missing_options:
        return None
    remedy = "none is needed; a newer kernel, or one outside the sandbox, is faster or tells more"
    return Finding("socket options missing", facts.missing_options, remedy, is_fault=False)


def _sandbox(seen: Evidence, facts: HostFacts, setting: Setting) -> Finding | None:
    if not facts.missing_protections:
        return None
    remedy = "none is needed; with Linux 5.19 or newer a catcher can write only below DEST"
    return Finding("sandbox incomplete", f"without {facts.missing_protections}", remedy, is_fault=False)


def _clock(seen: Evidence, facts: HostFacts, setting: Setting) -> Finding | None:
    offset = seen.clock_offset_s
    if offset is None or abs(offset) < CLOCK_MAX_S:
        return None
    way = "ahead" if offset > 0 else "behind"
    return Finding("clock", f"{_two_digits(abs(offset))} s {way}", "run NTP there", is_fault=False)


def _ended(seen: Evidence, facts: HostFacts, setting: Setting) -> Finding | None:
    if seen.reason is None:
        return None
    return Finding("probe ended", seen.reason, "run it again; if it stays so, report it")


_Rule = Callable[[Evidence, HostFacts, Setting], "Finding | None"]
_RULES: tuple[_Rule, ...] = (
    _ended,
    _deafness,
    _muteness,
    _only_answers,
    _unreported,
    _forgotten,
    _mtu,
    _buffers,
    _speed,
    _disk,
    _meetings,
    _wireless,
    _bridge,
    _clock,
    _encryption,
    _options,
    _sandbox,
)


def _bits(bytes_s: float) -> str:
    return f"{_two_digits(bytes_s * 8 / 1e6)} Mbit/s"


def _percent(share: float) -> str:
    return f"about {float(f'{100 * share:.1g}'):g} %"


def _two_digits(number: float) -> str:
    """Round to two significant digits, so that similar targets have equal findings."""
    return f"{float(f'{number:.2g}'):g}"
