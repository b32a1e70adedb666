"""What arrives costs bounded memory and bounded steps for each of its bytes, also if somebody made the worst of it.

Each input is one that its decoder takes, packed as tightly as it accepts. Steps are bytecodes, as in test_growth.py.
"""

from __future__ import annotations

import stat
import tracemalloc
import zlib
from array import array
from collections.abc import Callable
from typing import NamedTuple

import pytest

from mrsync.protocol.core.log import LogReader
from mrsync.remote.targets import read_targets
from mrsync.tree.delta.blocks import FileBlocks, decode_blocks, encode_blocks
from mrsync.tree.filter.matching import compile_runs
from mrsync.tree.filter.rules import parse_rule
from mrsync.tree.lists.rsync_output import translate
from mrsync.tree.lists.synclist import parse_lines
from mrsync.tree.model.acl import GROUP_OBJ, MASK, NO_ID, OTHER, USER, USER_OBJ, pack
from mrsync.tree.model.limits import DEPTH_MAX
from mrsync.tree.model.listing import TIME_MAX
from mrsync.tree.model.manifest import SECOND_NS, Manifest
from mrsync.tree.model.manifest_patch import ManifestPatch, decode_again, encode_again
from mrsync.tree.model.marks import Listed
from mrsync.tree.model.plan import Plan
from mrsync.tree.model.policy import Policy
from mrsync.tree.record.grid import Grid
from mrsync.tree.record.record import ProvenFile, Record
from mrsync.tree.staging.journal import FRAME, NOTE, PIECE
from mrsync.tree.staging.journal_reader import JournalReader
from mrsync.wire.formats.changes import Change, pack_changes, unpack_changes
from mrsync.wire.formats.clear import Clear
from mrsync.wire.formats.codec import decode_message, encode_message
from mrsync.wire.formats.record_codec import encode_record
from mrsync.wire.messages import Digests, ObjectKind
from mrsync.wire.records import NeedsRecord
from tests.fuzz.test_growth import manifest, sparse_file, steps
from tests.fuzz.tree_decoders import journal_of
from tests.unit.protocol.builders import report

COUNT = 1000
BYTES_EACH = 200  # of memory, for each byte of the input
STEPS_EACH = 80
BYTES_ONCE = 100_000  # whatever the input: tables of a few entries


class Input(NamedTuple):
    data: bytes
    read: Callable[[bytes], object]
    steps_each: int = STEPS_EACH


def of(made: Manifest) -> Input:
    return Input(made.encode(), Manifest.decode)


def same_names(mode: int = stat.S_IFREG) -> Manifest:
    """Many directories of the same names, whose columns compress best of all."""
    made = manifest(0)
    below = sorted(b"%d" % number for number in range(100))
    made.names.extend(below)
    for _ in below:
        made.names.extend(below[: COUNT // 100])
    count = len(below) * (COUNT // 100)
    made.parents.extend([0] * 100 + [1 + number // (COUNT // 100) for number in range(count)])
    made.modes.extend([stat.S_IFDIR | 0o755] * 100 + [mode | 0o644] * count)
    for column in (made.uids, made.gids, made.sizes, made.mtimes):
        column.extend([0] * (100 + count))
    made.directories = array("I", range(101 + (count if mode == stat.S_IFDIR else 0)))
    starts = [1, *range(101, 102 + count, COUNT // 100)]
    made.child_starts = array("I", starts + [101 + count] * (len(made.directories) + 1 - len(starts)))
    return made


def entries() -> Input:
    return of(same_names())


def directories() -> Input:
    made = same_names(stat.S_IFDIR)
    made.incomplete = set(made.directories)
    return of(made)


def soft_links() -> Input:
    made = same_names(stat.S_IFLNK)
    made.link_targets = {entry: b"ab" for entry in range(101, len(made))}
    return of(made)


def hard_links() -> Input:
    made = same_names()
    made.leaders = dict.fromkeys(range(102, len(made)), 101)
    return of(made)


def far_times() -> Input:
    made = same_names()
    made.far_times = dict.fromkeys(range(1, len(made)), TIME_MAX * SECOND_NS)
    made.mtimes[1:] = array("q", [TIME_MAX] * (len(made) - 1))
    return of(made)


def owners() -> Input:
    made = manifest(1)
    made.users = made.groups = dict.fromkeys(range(COUNT), b"ab")
    return of(made)


def sets_of_attributes() -> Input:
    made = manifest(1, policy=Policy(xattrs=True))
    made.attributes._sets += [((b"user.ab", b"cd"),)] * COUNT
    made.attribute_numbers = array("I", [0, 0])
    return of(made)


def attributes_of_each() -> Input:
    made = manifest(1, policy=Policy(xattrs=True))
    made.attributes._sets += [tuple((b"user.%04d" % at, b"%d" % (at % 10)) for at in range(COUNT))] * 3
    made.attribute_numbers = array("I", [0, 0])
    return of(made)


def access_list() -> Input:
    users = [(USER, 5, number) for number in range(COUNT)]
    value = pack([(USER_OBJ, 7, NO_ID), *users, (GROUP_OBJ, 5, NO_ID), (MASK, 7, NO_ID), (OTHER, 0, NO_ID)])
    made = manifest(1, policy=Policy(acls=True))
    made.attribute_numbers = array("I", [0, made.attributes.number(((b"system.posix_acl_access", value),))])
    return of(made)


def listed(*deletions: bytes) -> Input:
    made = manifest(1, policy=Policy(is_listed=True))
    made.listed = Listed(array("B", [0, 0]), list(deletions))
    return of(made)


def deletions() -> Input:
    return listed(*[b"ab"] * COUNT)


def deep_deletions() -> Input:
    return listed(*[b"/".join([b"ab"] * DEPTH_MAX)] * 3)


def policy() -> Input:
    data = Policy(rules=tuple("- x" for _ in range(COUNT)), missing=tuple("a" for _ in range(COUNT))).encode()
    return Input(data, Policy.decode)


def planned_ranges() -> Input:
    made = manifest(2 * COUNT)
    data = Plan(made, [(2 * number + 1, 2 * number + 2) for number in range(COUNT)], {}).encode()
    return Input(data, lambda data: Plan.decode(data, made))


def extents() -> Input:
    made, plan = sparse_file(COUNT)
    return Input(plan.encode(), lambda data: Plan.decode(data, made))


def blocks() -> Input:
    made = manifest(COUNT, size=1)
    plan = Plan(made, [(1, COUNT + 1)], {})
    data = encode_blocks(dict.fromkeys(range(COUNT), FileBlocks(bytes(10), bytes(8))))

    def read(data: bytes) -> None:
        plan.blocks = data
        decode_blocks(plan, 100)

    return Input(data, read)


def second_plan() -> Input:
    made = manifest(COUNT)
    rows = manifest(COUNT)
    patch = ManifestPatch(array("I", range(1, COUNT + 1)), rows)
    plan = Plan(made, [(number, number + 1) for number in range(1, COUNT + 1, 2)], {})
    return Input(encode_again(patch, plan), lambda data: decode_again(data, made, lambda _: None))


def record() -> Input:
    kept = Record(manifest(COUNT, size=1).encode(), 5)
    grid = Grid(100, COUNT, 32, "sha256")
    proof = bytes(grid.proof_length(grid.divide(0, 1)))
    kept.extend([ProvenFile(entry, grid, entry - 1, 1, [], proof) for entry in range(1, COUNT + 1)])
    return Input(b"".join(kept.parts()), Record.decode)


def journal() -> Input:
    note = NOTE.pack(PIECE, 1, 0, 1)
    frames = (FRAME.pack(len(note), zlib.crc32(note)) + note) * COUNT
    return Input(journal_of(frames), lambda data: JournalReader(data, b"tag", b"itself", b"boot").find(1))


def log() -> Input:
    pieces = [NeedsRecord(at, at + 1000, tuple((at + 2 * n, at + 2 * n + 1) for n in range(500))) for at in (0, 1000)]
    return Input(b"".join(map(encode_record, pieces)), lambda data: LogReader().feed(0, data))


def changes() -> Input:
    data = b"".join(pack_changes([Change(2 * number, 2 * number + 1, 1, 0) for number in range(100)]))
    return Input(data, lambda data: list(unpack_changes(data)))


def needs() -> Input:
    full = report(needs_first=0, needs_end=5000, needs=tuple((2 * page, 1, 0) for page in range(2000)))
    clear, body = encode_message(full)
    return Input(body, lambda data: decode_message(clear, data))


def digests() -> Input:
    clear, body = encode_message(Digests(1, ObjectKind.CONTENTS, 3, ((0, bytes(32)),) * 31))
    return Input(body, lambda data: decode_message(Clear(*clear), data))


def rules() -> Input:
    def read(data: bytes) -> None:
        compile_runs([rule for line in data.split(b"\n") if (rule := parse_rule(line, 0, "rules")) is not None])

    return Input(b"\n".join([b"- a*"] * (COUNT // 10)), read, 2000)  # Python compiles an expression for each


def synclist() -> Input:
    return Input(b"file a\n" * COUNT, lambda data: parse_lines(data.splitlines(True), "list"))


def output_of_rsync() -> Input:
    return Input(b"a -> b\n" * COUNT, lambda data: list(translate(data.splitlines(True), b"/")), 200)


def names_of_hosts() -> Input:
    names = ",".join(f"a{number}" for number in range(COUNT))
    return Input(names.encode(), lambda data: read_targets([data.decode()], keeps_own_host=True))


INPUTS: list[Callable[[], Input]] = [
    entries, directories, soft_links, hard_links, far_times, owners, sets_of_attributes, attributes_of_each,
    access_list, deletions, deep_deletions, policy, planned_ranges, extents, blocks, second_plan, record, journal, log,
    changes, needs, digests, rules, synclist, output_of_rsync, names_of_hosts,
]  # fmt: skip


@pytest.mark.parametrize("make", INPUTS, ids=lambda make: make.__name__)
def test_each_byte_that_arrives_costs_little(make: Callable[[], Input]) -> None:
    data, read, steps_each = make()
    read(data)  # what is made once, such as imports
    tracemalloc.start()
    try:
        read(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak <= BYTES_EACH * len(data) + BYTES_ONCE, f"{peak} bytes of memory for {len(data)}"
    assert 0 < steps(lambda: read(data)) <= steps_each * len(data)
