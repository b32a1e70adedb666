"""The control messages, one NamedTuple each. `codec` encodes them; docs/protocol.md describes them."""

from __future__ import annotations

from enum import IntEnum
from typing import Union

from mrsync.tuples import NamedTuple


class Kind(IntEnum):
    """The kind of a packet, field 2 of the header."""

    PAGE = 0
    CODED = 1
    STATUS = 2
    HELLO = 3
    WELCOME = 4
    REPORT = 5
    ACK = 6
    FAREWELL = 7
    PING = 8
    ECHO = 9
    PROBE = 10
    KNOCK = 11
    ASSIGN = 12
    FEED = 13
    CLAIM = 14
    HOP = 15
    DIGESTS = 16


class NetworkShare(IntEnum):
    """How much of the network a session takes where others send too."""

    ALL = 0  # what it can get: only losses and slow targets hold it back
    FAIR = 1  # as much as one TCP connection
    POLITE = 2  # what others leave


class SealKind(IntEnum):
    """How messages are sealed. NONE: not chosen yet. ED25519: HMAC and a signature.

    Only STATUS, DIGESTS and PROBE are signed, because they decide for all targets.
    """

    NONE = 0
    HMAC_SHA256 = 1
    AES_256_GCM = 2
    ED25519 = 3


class Compression(IntEnum):
    """How a page is compressed. Every catcher can expand DEFLATE."""

    DEFLATE = 0
    ZSTD = 1


class ObjectKind(IntEnum):
    """The byte sequences that are cast."""

    MANIFEST = 0
    PLAN = 1
    CONTENTS = 2
    PLAN_AGAIN = 3  # of files that changed while they were cast
    CONTENTS_AGAIN = 4


CONTENTS_KINDS = (ObjectKind.CONTENTS, ObjectKind.CONTENTS_AGAIN)  # the others are lists, which are packed already


class Phase(IntEnum):
    """The phases of a session. The caster decides, STATUS announces.

    The usual order is that of the numbers, without WITHDRAWING: GATHERING, COMPARING, PLANNING, CASTING, FINISHING,
    DONE. If no contents are needed, FINISHING follows COMPARING; if files changed while they were cast, PLANNING
    follows CASTING once more. WITHDRAWING takes the place of FINISHING where `--commit job` is vetoed. ABORTED may
    follow any of them. `mrsync.protocol.core.states` has the whole table.
    """

    GATHERING = 0
    COMPARING = 1  # the manifest is cast; targets compare
    PLANNING = 2  # the plan is cast
    CASTING = 3  # contents are cast, files are committed
    FINISHING = 4  # links, deletions, directory modes and times; results come in
    WITHDRAWING = 5  # nothing is changed anywhere; results come in
    DONE = 6
    ABORTED = 7


class Way(IntEnum):
    """How a ping or a page reached a catcher."""

    GROUP = 0
    DATA_PORT = 1  # unicast to the data port
    OWN_PORT = 2  # unicast to the port that its reports come from
    UNASKED = 3  # not at all: it tests whether the caster's firewall lets in unsolicited datagrams


class Ending(IntEnum):
    """Why the caster dismisses a target."""

    DONE = 0
    DROPPED = 1
    REFUSED = 2
    ABORTED = 3


class ObjectState(NamedTuple):
    """Size of an object (0: unknown or empty), and number of its pages that were sent at least once."""

    size_bytes: int = 0
    pages_sent: int = 0


class CommitSpan(NamedTuple):
    """Plan files [first, end) may be committed, except those in `exceptions` (sorted ranges [a, b)).

    ahead: if beyond `end`, targets that received no page of [end, ahead) in a second reading may commit those too.
    """

    first: int = 0
    end: int = 0
    exceptions: tuple[tuple[int, int], ...] = ()
    ahead: int = 0


class Status(NamedTuple):
    """caster -> group: the whole state of the session, sent repeatedly."""

    session: int  # 64 bits
    counter: int
    tx: int  # a status has a tx of its own, so that receiving it shows which packets before it were lost
    phase: Phase
    seal: SealKind
    slice_bytes: int
    packets: int
    objects: tuple[ObjectState, ...]  # by ObjectKind
    active: ObjectKind
    target_count: int
    plan_files: int
    monitors: tuple[int, ...]  # at most 3: the monitor and two standbys
    report_pages: int  # a monitor reports when it has done so many bursts, needed or not
    report_interval_us: int  # the longest time between two reports while something changes
    is_poll: bool  # all targets report now, each in its turn
    commit: CommitSpan
    ack_wait_s: int
    generation: int = 0  # the highest of all pages that were sent
    share: NetworkShare = NetworkShare.FAIR


class Hello(NamedTuple):
    """catcher -> caster: a request to take part, and what was received so far. Repeated until a welcome answers it."""

    target: int
    instance: int  # 64 random bits per process; the welcome repeats it
    counter: int
    seals: int  # bit set: 1 << SealKind
    buffer_bytes: int
    retained_pages: int  # sealed pages kept for decoding
    group_bytes: int  # the largest probe received from the group; a status counts as 1; 0: nothing was received
    unicast_bytes: int  # the same by unicast
    token: int  # of the last welcome, which proves that this address is the sender's; 0: none yet
    host: str
    version: str
    compressions: int = 1 << Compression.DEFLATE  # it can expand; bit set: 1 << Compression


class Welcome(NamedTuple):
    """caster -> one catcher: it is on the roster. The repeated instance proves that this is not a recording."""

    instance: int
    counter: int
    target: int
    turn: int
    hello: int  # counter of the answered hello
    token: int  # of the receiving address, for the next hello; 0: the hello was old


class Report(NamedTuple):
    """catcher -> caster: the whole state of a catcher, and the next piece of its log."""

    target: int
    instance: int
    counter: int
    active: ObjectKind  # the object of frontier and needs
    tx_seen: int  # the highest tx of a packet or STATUS that arrived; what was sent before and is not here is lost
    tx_done: int  # up to this tx, everything that arrived is written; the window follows it
    hold_us: int  # time between tx_done and this report
    frontier: int  # all pages below are written
    ready: int  # all plan files below are staged or sat out, as the log says up to log_end
    committed: int  # all plan files below are committed or exceptions
    activity: int  # grows while the catcher makes any progress
    buffer_bytes: int
    kernel_drops: int  # packets that this host dropped because a socket buffer was full
    queue_pages: int  # pages that have arrived and are not yet written
    packets_seen: int
    packets_lost: int
    packets_rejected: int  # not authentic, or of another session
    pages_rejected: int
    unverified: int  # 1 + the first page that waits for its digest; 0: none
    coded_useless: int
    log_end: int  # length of the log now
    log_offset: int  # position of log_bytes
    log_bytes: bytes
    needs_first: int
    needs_end: int  # needs are complete for pages [needs_first, needs_end)
    # (page, run, mask): `run` missing pages (mask 0), or one page and its missing packets
    needs: tuple[tuple[int, int, int], ...]
    ended_tx: int = 0  # of the last burst whose last packet arrived; 0: none
    ended_hold_us: int = 0  # time between that and this report
    packets_marked: int = 0  # by routers whose queues are long (ECN)


class Ack(NamedTuple):
    """caster -> one catcher: the log was received up to log_offset."""

    instance: int  # of the receiving catcher
    counter: int
    target: int
    log_offset: int


class Farewell(NamedTuple):
    """caster -> one catcher: the end of its part."""

    instance: int  # of the receiving catcher
    counter: int
    target: int
    ending: Ending
    reason: str


class Ping(NamedTuple):
    """caster -> group or one catcher: a request for an ECHO, from rtt and doctor."""

    session: int  # 64 bits
    counter: int


class Echo(NamedTuple):
    """catcher -> caster: a ping or a page arrived."""

    target: int
    instance: int
    counter: int
    kind: Kind  # PING or PAGE
    way: Way
    number: int  # of the page, or the ping's counter
    generation: int  # of the page, 0 for a ping
    hold_us: int  # from the arrival of its last packet to this echo
    clock_us: int  # since 1970, by the target's clock


class Probe(NamedTuple):
    """caster -> group: a datagram of a certain size, to learn which targets it reaches."""

    counter: int
    size_bytes: int  # UDP payload of the datagram


class Knock(NamedTuple):
    """catcher -> caster, outside of any session: a request for a STATUS."""

    target: int
    instance: int
    counter: int
    size_bytes: int  # UDP payload of the datagram; no answer is larger


class Feeding(IntEnum):
    """Where a target's pages come from, as it reports."""

    UNFED = 0  # from the caster: it has no parent, or has received nothing from it yet
    FED = 1  # from its parent
    STARVED = 2  # from the caster again, because its parent is silent


class Peer(NamedTuple):
    """The other end of a link from one target to another."""

    target: int
    link: int  # its number, unique in the session
    address: bytes  # 16 bytes, as IPv6; IPv4 addresses are mapped
    port: int
    key: bytes = bytes(32)  # of the link, masked for the child; zeros for the parent


class Assign(NamedTuple):
    """caster -> one target: its parent (None: the caster) and its child (None: it has none).

    island: where its parent or, if it is a target of this one, the target itself casts pages to; None: nowhere.
    """

    instance: int  # of the receiving catcher
    counter: int
    target: int
    number: int  # grows with each change of this target's peers
    probe_bytes: int  # size of datagrams that must get from parent to child
    parent: Peer | None
    child: Peer | None
    island: Peer | None = None  # the target that casts, and the group; the key is masked for those that listen


class Feed(NamedTuple):
    """parent -> child: the state of the hop, sent repeatedly. It shows that the parent is alive, and what was lost."""

    parent: int
    counter: int
    tx: int  # of the hop: all bursts with lower numbers were sent
    child: int  # ISLAND_ID: all that listen to it
    link: int
    object: ObjectKind  # the one that is forwarded
    pages_sent: int  # pages below were forwarded at least once, if they are here
    report_pages: int  # the child sends a claim when it has done so many bursts, needed or not
    is_poll: bool  # the child sends a claim at once
    size_bytes: int  # UDP payload; padded until the child has received a datagram that is large enough


class Claim(NamedTuple):
    """child -> parent: the part of a report that is about flow control and about missing packets."""

    child: int
    instance: int
    counter: int
    parent: int
    link: int
    heard_bytes: int  # the largest Feed received on this hop
    active: ObjectKind
    tx_seen: int  # tx numbers are those of the hop
    tx_done: int
    hold_us: int
    frontier: int
    buffer_bytes: int
    kernel_drops: int
    needs_first: int
    needs_end: int
    needs: tuple[tuple[int, int, int], ...]  # as in Report
    ended_tx: int = 0
    ended_hold_us: int = 0
    packets_marked: int = 0


# What the sender of pages reads about flow control and needs: the fields that a report and a claim have both.
FlowReport = Union[Report, Claim]


class Hop(NamedTuple):
    """target -> caster: the last assignment it received, and the state of its hops. Sent repeatedly."""

    target: int
    instance: int
    counter: int
    number: int  # of the last assignment received
    feeding: Feeding
    pages_forwarded: int  # whole pages sent, to all children so far
    packets_repaired: int
    pages_waiting: int  # pages here that are still to be forwarded
    window_bursts: int  # that may be under way to the child


class Digests(NamedTuple):
    """caster -> group: signed digests of pages as the caster has read them."""

    counter: int
    object: ObjectKind
    first: int  # page
    entries: tuple[tuple[int, bytes], ...]  # generation and SHA-256 of each plain page, from `first` on


Message = Union[
    Status, Hello, Welcome, Report, Ack, Farewell, Probe, Ping, Echo, Knock, Assign, Feed, Claim, Hop, Digests
]
