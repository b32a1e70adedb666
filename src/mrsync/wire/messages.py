"""The control messages, one NamedTuple each; `codec` turns them into bytes, docs/protocol.md describes them."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple, Union


class Kind(IntEnum):
    """What a packet is; header field 2."""

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


class SealKind(IntEnum):
    """How pages and reports are sealed. NONE: not chosen yet. ED25519: only what decides for all, beside an HMAC."""

    NONE = 0
    HMAC_SHA256 = 1
    AES_256_GCM = 2
    ED25519 = 3


class ObjectKind(IntEnum):
    """The numbered byte sequences that are cast."""

    MANIFEST = 0
    PLAN = 1
    CONTENTS = 2
    PLAN_AGAIN = 3  # of files that changed while they were cast
    CONTENTS_AGAIN = 4


class Phase(IntEnum):
    """Where the session stands, in order of life; the caster decides, status tells."""

    GATHERING = 0
    COMPARING = 1  # the manifest is cast; targets compare
    PLANNING = 2  # the plan is cast
    CASTING = 3  # contents are cast, files are committed
    FINISHING = 4  # links, deletions, directory modes and times; results come in
    WITHDRAWING = 5  # nothing is changed anywhere; results come in
    DONE = 6
    ABORTED = 7


class Way(IntEnum):
    """How a ping or a page came to a catcher."""

    GROUP = 0
    DATA_PORT = 1  # unicast, to the port that the group's packets go to
    OWN_PORT = 2  # unicast, to the port that its reports come from
    UNASKED = 3  # not at all: this says whether the caster's host lets in what it did not ask for


class Ending(IntEnum):
    """Why the caster says farewell to one target."""

    DONE = 0
    DROPPED = 1
    REFUSED = 2
    ABORTED = 3


class ObjectState(NamedTuple):
    """Size of an object (0: not known yet or empty) and how many of its pages were sent at least once."""

    size_bytes: int = 0
    pages_sent: int = 0


class CommitSpan(NamedTuple):
    """Plan files [first, end) may be renamed into place, but for those in `exceptions` (sorted ranges [a, b)).

    ahead: where that is more than end, [end, ahead) too, by who got no page of them that was read a second time.
    """

    first: int = 0
    end: int = 0
    exceptions: tuple[tuple[int, int], ...] = ()
    ahead: int = 0


class Status(NamedTuple):
    """caster -> group: the whole state of the session, repeated."""

    session: int  # 64 bits
    counter: int
    tx: int  # a status uses up a tx number, so that hearing it tells what came before it
    phase: Phase
    seal: SealKind
    slice_bytes: int
    packets: int
    objects: tuple[ObjectState, ...]  # by ObjectKind
    active: ObjectKind
    target_count: int
    plan_files: int
    monitors: tuple[int, ...]  # at most 3: the monitor and two standbys
    report_pages: int  # a monitor reports after so many pages
    report_interval_us: int  # everyone reports at least so often while something changes
    is_poll: bool  # everyone reports, each in its slot
    commit: CommitSpan
    ack_wait_s: int
    generation: int = 0  # the highest of any page that was sent


class Hello(NamedTuple):
    """catcher -> caster: I am here, and hear this; repeated until a welcome names its counter."""

    target: int
    instance: int  # 64 random bits, new for every process; the welcome must repeat it
    counter: int
    seals: int  # bit set: 1 << SealKind
    buffer_bytes: int
    retained_pages: int  # sealed pages kept for decoding
    group_bytes: int  # the largest probe heard on the group; a status counts as 1; 0: nothing is heard there
    unicast_bytes: int  # the same by unicast
    token: int  # of the last welcome: shows that what goes to this address comes here; 0: none yet
    host: str
    version: str


class Welcome(NamedTuple):
    """caster -> one catcher: you are on the roster; proves that the caster is alive by repeating the instance."""

    instance: int
    counter: int
    target: int
    slot: int
    hello: int  # counter of the hello that it answers
    token: int  # of the address it goes to, for the next hello; 0: that hello was old


class Report(NamedTuple):
    """catcher -> caster: all that is known here now, and the next piece of the log."""

    target: int
    instance: int
    counter: int
    active: ObjectKind  # the object that frontier and needs speak of
    tx_seen: int
    tx_done: int
    hold_us: int  # time between tx_done and this report
    frontier: int  # every page below is written
    ready: int  # every plan file below is staged whole or sat out (as the log up to log_end says)
    committed: int  # every plan file below is in place or an exception
    activity: int  # grows while anything at all is done
    buffer_bytes: int
    kernel_drops: int
    queue_pages: int
    packets_seen: int
    packets_lost: int
    packets_rejected: int  # not genuine, or not of this session
    pages_rejected: int
    unverified: int  # the first page that waits for its digest, and one more; 0: none does
    coded_useless: int
    log_end: int  # length of the log at this moment
    log_offset: int  # where log_bytes belongs
    log_bytes: bytes
    needs_first: int
    needs_end: int  # needs speak of pages [needs_first, needs_end)
    # (page, run, mask): run pages wholly missing (mask 0), or one page and its missing packets
    needs: tuple[tuple[int, int, int], ...]


class Ack(NamedTuple):
    """caster -> one catcher: the log was received up to here."""

    instance: int  # of the catcher it goes to
    counter: int
    target: int
    log_offset: int


class Farewell(NamedTuple):
    """caster -> one catcher: your part is over."""

    instance: int  # of the catcher it goes to
    counter: int
    target: int
    ending: Ending
    reason: str


class Ping(NamedTuple):
    """caster -> group or one catcher: echo this; the tools that measure networks send it."""

    session: int  # 64 bits
    counter: int


class Echo(NamedTuple):
    """catcher -> caster: this ping or page came in."""

    target: int
    instance: int
    counter: int
    kind: Kind  # PING or PAGE
    way: Way
    number: int  # of the page, or the ping's counter
    generation: int  # of the page, 0 for a ping
    hold_us: int  # from the arrival of its last packet to this echo
    clock_us: int  # since 1970, as the target's clock says


class Probe(NamedTuple):
    """caster -> group: a datagram of this size, to see whom it reaches."""

    counter: int
    size_bytes: int  # of the whole datagram, as UDP carries it


class Knock(NamedTuple):
    """catcher -> caster: which session is there? Outside of any session; a status answers it."""

    target: int
    instance: int
    counter: int
    size_bytes: int  # of the whole datagram: nothing larger answers it


class Feeding(IntEnum):
    """Where a target's pages come from, as it says itself."""

    UNFED = 0  # from the caster: it has no parent, or has not heard it yet
    FED = 1  # from its parent
    STARVED = 2  # its parent fell silent; it takes them from the caster again


class Peer(NamedTuple):
    """The other end of a hop from one target to another."""

    target: int
    link: int  # number of the hop, never used again in its session
    address: bytes  # 16 bytes, as IPv6; IPv4 addresses are mapped
    port: int
    key: bytes = bytes(32)  # of the hop, masked for the child; to the parent nothing is told


class Assign(NamedTuple):
    """caster -> one target: from whom it gets its pages, and to whom it passes them on; None: the caster, nobody."""

    instance: int  # of the catcher it goes to
    counter: int
    target: int
    number: int  # grows with every change of this target's peers
    probe_bytes: int  # datagrams of this size must pass from parent to child
    parent: Peer | None
    child: Peer | None


class Feed(NamedTuple):
    """parent -> child: how far the parent is; repeated, for it shows that the parent lives and what was lost."""

    parent: int
    counter: int
    tx: int  # of the hop: all bursts with a lower one have been sent
    child: int
    link: int
    object: ObjectKind  # the one that is passed on
    pages_sent: int  # of its pages below, those that came here were passed on at least once
    report_pages: int  # the child claims after so many pages
    is_poll: bool  # the child claims at once
    size_bytes: int  # of the whole datagram: padded until the child has heard one that is large enough


class Claim(NamedTuple):
    """child -> parent: the flow control part of a report, and what is needed."""

    child: int
    instance: int
    counter: int
    parent: int
    link: int
    heard_bytes: int  # the largest Feed heard on this hop
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


class Hop(NamedTuple):
    """target -> caster: the assignment it knows, and how it goes with its peers; repeated."""

    target: int
    instance: int
    counter: int
    number: int  # of the last assignment that came
    feeding: Feeding
    pages_forwarded: int  # bursts of whole pages, over all children
    packets_repaired: int
    pages_waiting: int  # here, that are still to be passed on
    window_pages: int  # of the hop to the child


class Digests(NamedTuple):
    """caster -> group: what pages are, as the caster has read them; signed."""

    counter: int
    object: ObjectKind
    first: int  # page
    entries: tuple[tuple[int, bytes], ...]  # generation and SHA-256 of the plain page; of the next page, and so on


Message = Union[
    Status, Hello, Welcome, Report, Ack, Farewell, Probe, Ping, Echo, Knock, Assign, Feed, Claim, Hop, Digests
]


class NeedsRecord(NamedTuple):
    """Of the manifest's entries [first, end), the contents of these ranges are needed."""

    first: int
    end: int
    ranges: tuple[tuple[int, int], ...]


class WantsRecord(NamedTuple):
    """Of the pages [first, end) of the contents, only these ranges are wanted; without such records: all it needs."""

    first: int
    end: int
    ranges: tuple[tuple[int, int], ...]


class BasisRecord(NamedTuple):
    """Of the manifest's entries [first, end), of these an older copy is here that may have blocks of the new one."""

    first: int
    end: int
    ranges: tuple[tuple[int, int], ...]


class ComparedRecord(NamedTuple):
    """Comparison is over."""

    files_needed: int
    bytes_needed: int
    changes: int  # entries to make, mend or delete without contents


class SatOutRecord(NamedTuple):
    """This target cannot take this file of the plan."""

    file: int
    errno: int


class ErrorRecord(NamedTuple):
    """Something went wrong with one path that needs no contents, or with a commit."""

    errno: int
    path: bytes
    action: str


class FailedRecord(NamedTuple):
    """This target cannot take part any longer, and why."""

    reason: str


class ResultRecord(NamedTuple):
    """Everything is done here."""

    files_updated: int
    bytes_written: int
    created: int
    mended: int
    deleted: int
    errors: int
    digest: bytes  # 32 bytes over what was committed
    skipped: int = 0  # entries not deleted because of the limit
    untold: int = 0  # changes that the log had no room for


class ChangesRecord(NamedTuple):
    """Entries that were changed, or would be: as `changes.pack_changes` packs them, ascending over all records."""

    data: bytes


class DeletionsRecord(NamedTuple):
    """What was deleted, or would be: as `changes.pack_deletions` packs it."""

    data: bytes


Record = Union[
    NeedsRecord,
    ComparedRecord,
    SatOutRecord,
    ErrorRecord,
    FailedRecord,
    ResultRecord,
    WantsRecord,
    BasisRecord,
    ChangesRecord,
    DeletionsRecord,
]
