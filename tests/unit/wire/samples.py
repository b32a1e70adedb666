"""Messages and records to encode: hypothesis strategies for any of them, and a session to seal them in."""

from __future__ import annotations

from hypothesis import strategies as st

from mrsync.escaping import escape_controls
from mrsync.wire.formats.needs import Need
from mrsync.wire.geometry import Geometry
from mrsync.wire.limits import DIGESTS_MAX, EXCEPTIONS_MAX, MTU_MAX, MTU_MIN, TARGETS_MAX
from mrsync.wire.messages import (
    Ack,
    Assign,
    Claim,
    CommitSpan,
    Digests,
    Echo,
    Ending,
    Farewell,
    Feed,
    Feeding,
    Hello,
    Hop,
    Kind,
    Knock,
    Message,
    ObjectKind,
    ObjectState,
    Peer,
    Phase,
    Ping,
    Probe,
    Report,
    SealKind,
    Status,
    Way,
    Welcome,
)
from mrsync.wire.records import (
    BasisRecord,
    ComparedRecord,
    ErrorRecord,
    FailedRecord,
    FailureCause,
    LogRecord,
    NeedsRecord,
    ResultRecord,
    SatOutRecord,
    WantsRecord,
)
from mrsync.wire.seals.keys import SessionKeys

SECRET = bytes(range(32))
SESSION = 0x6D727379_6E633521
KEYS = SessionKeys.derive(SECRET, SESSION)

u8 = st.integers(0, 0xFF)
u16 = st.integers(0, 0xFFFF)
u32 = st.integers(0, 0xFFFFFFFF)
u64 = st.integers(0, 0xFFFFFFFF_FFFFFFFF)
targets = st.integers(0, TARGETS_MAX - 1)
texts = st.text(st.characters(codec="utf-8"), max_size=90).map(escape_controls)  # as whoever reads them gets them
geometries = st.builds(
    Geometry.from_mtu, st.integers(MTU_MIN, MTU_MAX), is_ipv6=st.booleans(), target_count=st.integers(1, 40)
)


@st.composite
def ranges(draw: st.DrawFn, count_max: int = 20) -> tuple[int, int, tuple[tuple[int, int], ...]]:
    """first, end, and sorted ranges inside that do not touch."""
    bounds = sorted(draw(st.sets(u32, min_size=2, max_size=2 * count_max + 2)))
    inner = bounds[1 : len(bounds) - 1]
    return bounds[0], bounds[-1], tuple(zip(inner[::2], inner[1::2], strict=False))


@st.composite
def needs(draw: st.DrawFn) -> tuple[int, int, tuple[Need, ...]]:
    """first, end, and what is needed of the pages between."""
    first = page = draw(st.integers(0, 2**31))
    entries: list[Need] = []
    for gap, run, mask in draw(st.lists(st.tuples(st.integers(0, 300), st.integers(1, 300), u64), max_size=20)):
        run = 1 if mask else run
        entries.append((page + gap, run, mask))
        page += gap + run
    return first, page + draw(st.integers(0, 300)), tuple(entries)


@st.composite
def statuses(draw: st.DrawFn) -> Status:
    geometry = draw(geometries)
    first, end, exceptions = draw(ranges(EXCEPTIONS_MAX))
    state = st.builds(ObjectState, u64, u32)
    return Status(
        session=SESSION,
        counter=draw(u32),
        tx=draw(u32),
        phase=draw(st.sampled_from(Phase)),
        seal=draw(st.sampled_from((SealKind.NONE, SealKind.HMAC_SHA256, SealKind.AES_256_GCM))),
        slice_bytes=geometry.slice_bytes,
        packets=geometry.packets,
        objects=tuple(draw(state) for _ in ObjectKind),
        active=draw(st.sampled_from(ObjectKind)),
        target_count=draw(st.integers(0, TARGETS_MAX)),
        plan_files=draw(u32),
        monitors=tuple(draw(st.lists(targets, max_size=3))),
        report_pages=draw(u32),
        report_interval_us=draw(u32),
        is_poll=draw(st.booleans()),
        commit=CommitSpan(first, end, exceptions),
        ack_wait_s=draw(u32),
        generation=draw(u16),
    )


@st.composite
def reports(draw: st.DrawFn) -> Report:
    log_bytes = draw(st.binary(max_size=500))
    log_offset = draw(st.integers(0, 2**27))
    needs_first, needs_end, needed = draw(needs())
    return Report(
        target=draw(targets),
        instance=draw(u64),
        counter=draw(u32),
        active=draw(st.sampled_from(ObjectKind)),
        tx_seen=draw(u32),
        tx_done=draw(u32),
        hold_us=draw(u32),
        frontier=draw(u32),
        ready=draw(u32),
        committed=draw(u32),
        activity=draw(u64),
        buffer_bytes=draw(u32),
        kernel_drops=draw(u64),
        queue_pages=draw(u32),
        packets_seen=draw(u64),
        packets_lost=draw(u64),
        packets_rejected=draw(u64),
        unverified=draw(u32),
        pages_rejected=draw(u64),
        coded_useless=draw(u64),
        log_end=log_offset + len(log_bytes) + draw(st.integers(0, 2**20)),
        log_offset=log_offset,
        log_bytes=log_bytes,
        needs_first=needs_first,
        needs_end=needs_end,
        needs=needed,
    )


def peers_at(*starts: bytes) -> st.SearchStrategy[Peer]:
    """Peers whose addresses start so."""
    addresses = st.builds(lambda start, rest: (start + rest)[:16], st.sampled_from(starts), st.binary(min_size=16))
    return st.builds(Peer, st.integers(0, 99), u32, addresses, u16, st.binary(min_size=32, max_size=32))


IPV4_MAPPED = bytes(10) + b"\xff\xff"
peers = peers_at(b"\xfd", b"\xfe\x80", IPV4_MAPPED + b"\x0a", IPV4_MAPPED + b"\xdf")
groups = peers_at(b"\xff", IPV4_MAPPED + b"\xe0", IPV4_MAPPED + b"\xef")
others = st.integers(100, TARGETS_MAX - 1)
plain_assigns = st.builds(Assign, u64, u32, others, u32, u16, st.none() | peers, st.none() | peers, st.none())
island_assigns = st.builds(  # to one that listens, and to the relay
    lambda assign, parent, island, is_relay: assign._replace(
        parent=parent,
        child=None if is_relay else assign.child,
        island=island._replace(target=assign.target if is_relay else parent.target, link=parent.link),
    ),
    plain_assigns,
    peers,
    groups,
    st.booleans(),
)
assigns = plain_assigns | island_assigns
hops = st.builds(Hop, targets, u64, u32, u32, st.sampled_from(Feeding), u32, u32, u32, u32)
feeds = st.builds(
    Feed,
    st.integers(0, 99),
    u32,
    u32,
    st.integers(100, TARGETS_MAX - 1),
    u32,
    st.sampled_from(ObjectKind),
    u32,
    st.integers(1, 0xFFFFFFFF),
    st.booleans(),
    st.integers(66, MTU_MAX),
)


@st.composite
def claims(draw: st.DrawFn) -> Claim:
    needs_first, needs_end, needed = draw(needs())
    numbers = [draw(strategy) for strategy in (u32, u32, u32, u32, u32, u64)]
    clear = (draw(st.integers(100, TARGETS_MAX - 1)), draw(u64), draw(u32))
    link = (draw(st.integers(0, 99)), draw(u32), draw(u16), draw(st.sampled_from(ObjectKind)))
    return Claim(*(*clear, *link, *numbers, needs_first, needs_end, needed))


messages: st.SearchStrategy[Message] = st.one_of(
    assigns.filter(lambda assign: assign.parent is None),
    hops,
    statuses(),
    st.builds(Hello, targets, u64, u32, u8, u32, u32, u16, u16, u32, texts, texts, u8.map(lambda bits: bits | 1)),
    st.builds(Welcome, u64, u32, targets, u16, u32, u32),
    reports(),
    st.builds(Ack, u64, u32, targets, st.integers(0, 2**28)),
    st.builds(Farewell, u64, u32, targets, st.sampled_from(Ending), texts),
    st.builds(
        Digests,
        u32,
        st.sampled_from(ObjectKind),
        st.integers(0, 1 << 31),
        st.lists(st.tuples(u16, st.binary(min_size=32, max_size=32)), min_size=1, max_size=DIGESTS_MAX).map(tuple),
    ),
    st.builds(Knock, targets, u64, u32, st.integers(50, 1200)),
    st.builds(Ping, st.just(SESSION), u32),
    st.builds(
        Echo, targets, u64, u32, st.sampled_from((Kind.PING, Kind.PAGE)), st.sampled_from(Way), u32, u16, u32, u64
    ),
    st.builds(Probe, u32, st.integers(50, MTU_MAX)),
)
records: st.SearchStrategy[LogRecord] = st.one_of(
    ranges().map(lambda triple: NeedsRecord(*triple)),
    ranges().map(lambda triple: WantsRecord(*triple)),
    ranges().map(lambda triple: BasisRecord(*triple)),
    st.builds(ComparedRecord, u32, u64, u32),
    st.builds(SatOutRecord, u32, u16),
    st.builds(ErrorRecord, u16, st.binary(max_size=4096), texts),
    st.builds(FailedRecord, texts, st.sampled_from(FailureCause)),
    st.builds(ResultRecord, u32, u64, u32, u32, u32, u32, u32, u32),
)
