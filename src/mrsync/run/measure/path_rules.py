"""Rules about the way between master and target: which packets are lost or late, why, and how to change that.

Several causes explain why a target does not receive the group. `deafness` tries them in order, and only the first that
fits becomes a finding: a more specific test (another TTL or another interface worked) precedes a more general
conclusion (the network does not forward the group).
"""

from __future__ import annotations

from mrsync.remote.folding import fold
from mrsync.run.measure.evidence import Evidence, Setting
from mrsync.run.measure.facts import HostFacts
from mrsync.run.measure.finding import Finding, two_digits

LOSS_MAX = 0.01
TIMES_SLOWER = 1.25  # of the time to send, above which receiving counts as too slow


def deafness(seen: Evidence, facts: HostFacts, setting: Setting) -> Finding | None:
    """Find out why the target does not receive the group."""
    if not seen.is_deaf:
        return None
    for rule in (_wrong_ttl, _wrong_interface, _no_route, _data_arrived, _membership, _firewall, _dropped_answers):
        if finding := rule(seen, facts, setting):
            return finding
    return _network_between(seen, facts, setting)


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


def _dropped_answers(seen: Evidence, facts: HostFacts, setting: Setting) -> Finding | None:
    """Report that a target gets what is sent to the data port, but no answers to what it sends itself."""
    if not seen.own.sent or seen.own.heard or not (seen.group.heard or seen.port.heard):
        return None
    port = setting.port - 1
    return Finding(
        "firewall drops answers",
        f"UDP to port {setting.port} arrives there, but nothing from port {port} here to the port of its reports",
        f"allow UDP from port {port} of the master, or all answers (stateful), on the target or on the way",
    )


def _network_between(seen: Evidence, facts: HostFacts, setting: Setting) -> Finding:
    """Report that the group is lost on the way, although unicast passes.

    That is no fault where no target hears it, as in most clouds: targets pass pages on to one another there.
    """
    if seen.routers:
        cause, detail = "router does not forward the group", f"{seen.routers} between, and unicast passes; no TTL helps"
        remedy = "set up multicast routing (PIM, smcroute)"
    elif facts.is_wireless:
        cause, detail = "WiFi", "the access point does not pass multicast on"
        remedy = "use a cable, or --unicast"
    else:
        cause = "network does not forward the group"
        detail = (
            "unicast to the same port passes, membership is reported: IGMP is dropped on the way, or a switch snoops"
        )
        detail += " without a querier"
        remedy = "allow IGMP, and enable a querier on the switch or disable snooping"
    if setting.is_everyone_deaf:
        detail = "no target hears multicast, as in most clouds; unicast passes"
        return Finding(cause, detail, f"none is needed: targets pass pages on to one another; or {remedy}", False)
    return Finding(cause, detail, f"{remedy}; until then it gets a copy of its own by unicast")


def unreported(seen: Evidence, facts: HostFacts, setting: Setting) -> Finding | None:
    """Report missing membership reports of a target that receives the group today, but may not on another switch."""
    return None if seen.is_deaf else _membership(seen, facts, setting)


def unanswered(seen: Evidence, facts: HostFacts, setting: Setting) -> Finding | None:
    """Report missing answers of a target that receives the group. Without them it can take part in no session."""
    return None if seen.is_deaf else _dropped_answers(seen, facts, setting)


def forgotten(seen: Evidence, facts: HostFacts, setting: Setting) -> Finding | None:
    """Report a group that was received at first but no longer when the pages were sent, as after a snooping timeout."""
    if seen.is_deaf or not seen.fast.packets_sent or seen.fast.packets or 0 < seen.mtu_passed < seen.mtu_sent:
        return None
    return Finding(
        "switch snoops without a querier",
        "the group was received for some seconds after joining, and then no longer",
        "enable a querier on the switch, or disable snooping; until then catchers join again, or get unicast",
    )


def muteness(seen: Evidence, facts: HostFacts, setting: Setting) -> Finding | None:
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


def only_answers(seen: Evidence, facts: HostFacts, setting: Setting) -> Finding | None:
    if seen.is_unasked_heard or seen.is_mute:
        return None
    port = setting.port - 1
    return Finding(
        "firewall accepts only replies",
        f"UDP to port {port} here is accepted only from hosts to which this host has sent packets",
        f"none is needed, because a sync sends first; to be sure allow UDP port {port} on the master",
        is_fault=False,
    )


def mtu(seen: Evidence, facts: HostFacts, setting: Setting) -> Finding | None:
    if seen.is_deaf or not seen.mtu_passed < seen.mtu_sent or forgotten(seen, facts, setting):
        return None
    passed = f"packets of {seen.mtu_passed} do" if seen.mtu_passed else "smaller ones do not either"
    return Finding(
        "MTU",
        f"packets of {seen.mtu_sent} bytes do not arrive there, {passed} (its interface says {facts.mtu})",
        f"set the MTU of {setting.interfaces} here to {seen.mtu_passed or 1280}, or fix the path",
    )


def speed(seen: Evidence, facts: HostFacts, setting: Setting) -> Finding | None:
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


def meetings(seen: Evidence, facts: HostFacts, setting: Setting) -> Finding | None:
    if not seen.unreached:
        return None
    return Finding(
        "targets do not reach each other",
        f"{fold(list(seen.unreached))} got no UDP from it, so it cannot pass pages on to them",
        "allow UDP between all ports of the targets; until then the master sends more copies",
        is_fault=False,
    )


def _bits(bytes_s: float) -> str:
    return f"{two_digits(bytes_s * 8 / 1e6)} Mbit/s"


def _percent(share: float) -> str:
    return f"about {float(f'{100 * share:.1g}'):g} %"
