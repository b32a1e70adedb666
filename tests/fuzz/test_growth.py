"""Twice the input costs twice the steps, wherever a hostile or a very large one can come from: never time, only counts.

Steps are bytecodes of Python. What one of them does in C is not seen (`x in a_list`): at other places tests count that,
as test_feeder.py does for the claims of an island.
"""

from __future__ import annotations

import os
import random
import re
import stat
import sys
import zlib
from array import array
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from mrsync.protocol.core.log import LogReader
from mrsync.ranges import RangeSet, UnionInTurns, without
from mrsync.remote.folding import fold
from mrsync.tree.filter.matching import compile_runs
from mrsync.tree.filter.rules import parse_rule
from mrsync.tree.lists.rsync_output import translate
from mrsync.tree.lists.synclist import parse_lines
from mrsync.tree.model.acl import GROUP_OBJ, MASK, NO_ID, OTHER, USER, USER_OBJ, pack
from mrsync.tree.model.listing import TIME_MAX
from mrsync.tree.model.manifest import SECOND_NS, Manifest
from mrsync.tree.model.plan import Plan
from mrsync.tree.model.policy import Policy
from mrsync.tree.staging.journal import FRAME, NOTE, PIECE
from mrsync.tree.staging.journal_reader import JournalReader
from mrsync.wire.formats.record_codec import encode_record
from mrsync.wire.records import NeedsRecord
from tests.fuzz.tree_decoders import journal_of
from tests.unit.protocol.receiving.test_feeder import ISLAND, Hop

Work = Callable[[], object]
SMALL = 100
GROWTH_MAX = 2.3  # where n log n is allowed, and what is done once does not count


def steps(work: Work) -> int:
    """How many bytecodes it runs."""
    count = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        count += event == "opcode"
        return trace

    re.purge()
    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


def manifest(count: int, mode: int = stat.S_IFREG, policy: Policy | None = None, size: int = 0) -> Manifest:
    """So many entries in one directory."""
    made = Manifest(policy or Policy())
    made.add_root(os.stat("/"))
    made.names.extend([b"%06d" % number for number in range(count)])
    for column, value in ((made.parents, 0), (made.modes, mode | 0o644), (made.uids, 0), (made.gids, 0)):
        column.extend([value] * count)
    made.sizes.extend([size] * count)
    made.mtimes.extend([0] * count)
    made.child_starts.append(count + 1)
    if mode == stat.S_IFDIR:
        made.directories.extend(range(1, count + 1))
        made.child_starts.extend([count + 1] * count)
    return made


def decoding(made: Manifest) -> Work:
    data = made.encode()
    return lambda: Manifest.decode(data)


def entries(count: int) -> Work:
    return decoding(manifest(count))


def directories(count: int) -> Work:
    made = manifest(count, stat.S_IFDIR)
    made.incomplete = set(range(1, count + 1))
    return decoding(made)


def nested_directories(count: int) -> Work:
    made = Manifest()
    made.add_root(os.stat("/"))
    for number in range(count):
        made.names.extend([b"d"])
        made.modes.append(stat.S_IFDIR | 0o755)
        made.parents.append(number)
        made.directories.append(number + 1)
        for column in (made.uids, made.gids, made.sizes, made.mtimes):
            column.append(0)
    made.child_starts = array("I", [*range(1, count + 2), count + 1])
    return decoding(made)


def hard_links(count: int) -> Work:
    made = manifest(count)
    made.leaders = dict.fromkeys(range(2, count + 1), 1)
    return decoding(made)


def far_times(count: int) -> Work:
    made = manifest(count)
    made.far_times = dict.fromkeys(range(1, count + 1), TIME_MAX * SECOND_NS)
    made.mtimes[1:] = array("q", [TIME_MAX] * count)
    return decoding(made)


def attributes_of_each(count: int) -> Work:
    made = manifest(count, policy=Policy(xattrs=True))
    sets = [((b"user.%06d" % number, b"%d" % number),) for number in range(count)]
    made.attribute_numbers = array("I", [0, *map(made.attributes.number, sets)])
    return decoding(made)


def attributes_of_one(count: int) -> Work:
    made = manifest(1, policy=Policy(xattrs=True))
    pairs = tuple((b"user.%06d" % number, b"%d" % number) for number in range(count))
    made.attribute_numbers = array("I", [0, made.attributes.number(pairs)])
    return decoding(made)


def access_list(count: int) -> Work:
    users = [(USER, 5, number) for number in range(count)]
    value = pack([(USER_OBJ, 7, NO_ID), *users, (GROUP_OBJ, 5, NO_ID), (MASK, 7, NO_ID), (OTHER, 0, NO_ID)])
    made = manifest(1, policy=Policy(acls=True))
    made.attribute_numbers = array("I", [0, made.attributes.number(((b"system.posix_acl_access", value),))])
    return decoding(made)


def planned_ranges(count: int) -> Work:
    made = manifest(2 * count)
    data = Plan(made, [(2 * number + 1, 2 * number + 2) for number in range(count)], {}).encode()
    return lambda: Plan.decode(data, made)


def sparse_file(count: int) -> tuple[Manifest, Plan]:
    made = manifest(1, size=1000 * count)
    return made, Plan(made, [(1, 2)], {0: [(1000 * number, 500) for number in range(count)]})


def holes(count: int) -> Work:
    made, plan = sparse_file(count)
    data = plan.encode()
    return lambda: Plan.decode(data, made)


def pages_of_a_sparse_file(count: int) -> Work:
    plan = sparse_file(count)[1]
    return lambda: [plan.locate(start, 1000) for start in range(0, plan.contents_bytes, 1000)]


def pieces_of_a_sparse_file(count: int) -> Work:
    plan = sparse_file(count)[1]
    return lambda: plan.place_of(0, [(1000 * number + 10, 1000 * number + 20) for number in range(count)])


def pages_of_tiny_files(count: int) -> Work:
    made = manifest(count, size=1)
    plan = Plan(made, [(1, count + 1)], {})
    return lambda: plan.pages_of([(entry, entry + 1) for entry in range(1, count + 1)], 100)


def needs_of_many(count: int) -> Work:
    return lambda: UnionInTurns([[(3 * at, 3 * at + 2) for at in range(count)]] * 3).whole()


def ranges_in_any_order(count: int) -> Work:
    numbers = random.Random(1).sample(range(count), count)
    return lambda: RangeSet((2 * number, 2 * number + 1) for number in numbers)


def ranges_without_others(count: int) -> Work:
    ranges, others = (
        [(10 * at, 10 * at + 8) for at in range(count)],
        [(10 * at + 2, 10 * at + 4) for at in range(count)],
    )
    return lambda: (without(ranges, others), without([(0, 10 * count)], others), without(others, [(0, 10 * count)]))


def log_in_small_pieces(count: int) -> Work:
    log = b"".join(encode_record(NeedsRecord(number, number + 1, ((number, number + 1),))) for number in range(count))
    reader = LogReader()
    return lambda: [reader.feed(at, log[at : at + 7]) for at in range(0, len(log), 7)]


def notes_in_a_journal(count: int) -> Work:
    frames = b""
    for number in range(count):
        note = NOTE.pack(PIECE, 1, number % 2, 1)
        frames += FRAME.pack(len(note), zlib.crc32(note)) + note
    data = journal_of(frames)
    return lambda: JournalReader(data, b"tag", b"itself", b"boot").find(1)


def claim_in_an_island(count: int) -> Work:
    hop = Hop(peer=ISLAND)
    for child in range(count):
        hop.claim(0.0, child=child, tx_seen=1)
    return lambda: hop.claim(0.1, child=0, tx_seen=1)


def rules(count: int) -> Work:
    texts = [b"- /a%d/*b" % number for number in range(count)]
    return lambda: compile_runs([rule for text in texts if (rule := parse_rule(text, 0, "rules")) is not None])


def one_long_rule(count: int) -> Work:
    text = b"- " + b"*[a-c]" * (count // 2)
    return lambda: compile_runs([rule for rule in [parse_rule(text, 0, "rules")] if rule is not None])


def synclist(count: int) -> Work:
    lines = [b"hardlink d%d/%d\ta\n" % (number % 7, number) for number in range(count)]
    return lambda: parse_lines([*lines, *(b"deleting x%d\n" % number for number in range(count))], "list")


def output_of_rsync(count: int) -> Work:
    lines = [b"sending incremental file list\n", *(b"d/%d -> x => y\n" % number for number in range(count))]
    return lambda: list(translate(lines, b"/"))


def names_of_hosts(count: int) -> Work:
    names = [f"h{number % 3}n{number}" for number in range(count)]
    addresses = [f"10.{number % 19}.{number % 23}.{number % 29}" for number in range(count)]
    return lambda: (fold(names), fold(addresses))


ENTRIES: list[Callable[[int], Work]] = [
    entries, directories, nested_directories, hard_links, far_times, attributes_of_each, attributes_of_one, access_list,
    planned_ranges, holes, pages_of_a_sparse_file, pieces_of_a_sparse_file, pages_of_tiny_files, needs_of_many,
    ranges_in_any_order, ranges_without_others, log_in_small_pieces, notes_in_a_journal, claim_in_an_island, rules,
    one_long_rule, synclist, output_of_rsync, names_of_hosts,
]  # fmt: skip


@pytest.mark.parametrize("make", ENTRIES, ids=lambda make: make.__name__)
def test_twice_the_input_costs_twice_the_steps(make: Callable[[int], Work]) -> None:
    make(SMALL // 2)()  # what is made once, such as imports
    small, large = steps(make(SMALL)), steps(make(2 * SMALL))
    assert small > SMALL / 10, "the work is not seen"
    assert large <= GROWTH_MAX * small, f"{large} steps instead of {small}"
