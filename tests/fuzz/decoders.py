"""Everything that reads bytes from a network, a disk or a user, and what inputs to begin with."""

from __future__ import annotations

import errno
import itertools
import os
import tempfile
import types
import zlib
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import NamedTuple
from unittest import mock

from mrsync.cli.registry.option import MRSYNC
from mrsync.cli.registry.parser import make_parser
from mrsync.cli.settings.configuration import parse_configured
from mrsync.errors import MrsyncError
from mrsync.protocol.core.log import LogReader
from mrsync.remote import keyfile
from mrsync.remote.inventory import read_inventory
from mrsync.run.bootstrap import Readiness
from mrsync.run.measure.facts import Heard, HostFacts, decode_facts, encode_facts
from mrsync.run.settings import Invitation
from mrsync.run.verify.findings import TreeVerdict, decode_finding, encode_finding
from mrsync.transport.pages.compression import expand
from mrsync.tree.delta.blocks import FileBlocks, decode_blocks, encode_blocks
from mrsync.tree.filter import globs
from mrsync.tree.filter.ere import Patterns
from mrsync.tree.filter.matching import compile_runs
from mrsync.tree.filter.merge_files import split_entries
from mrsync.tree.filter.rules import parse_rule
from mrsync.tree.lists.rsync_output import translate
from mrsync.tree.lists.shell_patterns import split_list, translate_pattern
from mrsync.tree.lists.synclist import parse_lines
from mrsync.tree.model import acl, packing
from mrsync.tree.model.manifest import Manifest
from mrsync.tree.model.manifest_patch import ManifestPatch, decode_again, encode_again
from mrsync.tree.model.plan import Plan
from mrsync.tree.model.policy import Policy
from mrsync.tree.record.grid import Grid
from mrsync.tree.record.record import ProvenFile
from mrsync.tree.record.record import Record as KeptRecord
from mrsync.tree.record.verification import Difference
from mrsync.tree.source.scan import scan
from mrsync.tree.staging.journal import HEAD, MAGIC
from mrsync.tree.staging.journal_reader import JournalReader
from mrsync.wire.formats.changes import Change, pack_changes, pack_deletions, unpack_changes, unpack_deletions
from mrsync.wire.formats.clear import Clear
from mrsync.wire.formats.codec import decode_message, encode_message
from mrsync.wire.formats.needs import decode_needs, encode_needs
from mrsync.wire.formats.record_codec import encode_record
from mrsync.wire.formats.session import ControlCodec, open_status
from mrsync.wire.header import unpack_header
from mrsync.wire.limits import CASTER_ID, HEADER_BYTES
from mrsync.wire.messages import (
    Ack,
    Assign,
    Claim,
    Digests,
    Echo,
    Ending,
    Farewell,
    Feed,
    Feeding,
    Hop,
    Kind,
    Knock,
    Message,
    ObjectKind,
    Peer,
    Ping,
    Probe,
    Way,
    Welcome,
)
from mrsync.wire.records import ComparedRecord, ErrorRecord, FailedRecord, LogRecord, NeedsRecord
from mrsync.wire.seals.keys import SessionKeys
from mrsync.wire.seals.proofs import prover_of
from mrsync.wire.terms import decode_terms
from tests.unit.protocol.builders import hello, report, status

Read = Callable[[bytes], object]
PAGE = 100
ZSTD_FRAMES = (  # of 1000 zeros, and of 1000 letters
    bytes.fromhex("28b52ffd60e8024d00001000000100e32b8005"),
    bytes.fromhex("28b52ffd60e802750000386d7273796e63200100de551523"),
)


class Decoder(NamedTuple):
    """What reads an input, inputs that it takes, and which exceptions are its answer to a wrong one."""

    read: Read
    samples: Sequence[bytes]
    words: Sequence[bytes] = ()  # pieces that mean something to it
    answers: tuple[type[Exception], ...] = (MrsyncError,)


@contextmanager
def uncompressed() -> Iterator[None]:
    """Let sections be as they are packed, or else nearly every damage would be found by zlib."""

    class Inflater:
        eof = True
        unused_data = b""

        def decompress(self, data: bytes, most: int) -> bytes:
            return bytes(data[:most])

    class Deflater:
        def __init__(self, level: int) -> None:
            pass

        def compress(self, data: bytes) -> bytes:
            return bytes(data)

        def flush(self) -> bytes:
            return b""

    plain = types.SimpleNamespace(compressobj=Deflater, decompressobj=Inflater, error=ValueError)
    with mock.patch.object(packing, "zlib", plain):
        yield


@cache
def decoders() -> dict[str, Decoder]:
    """Return all of them by name."""
    with uncompressed():
        return {**_of_the_wire(), **_of_trees(), **_of_lists_and_rules(), **_of_settings(), **_of_targets()}


def _session_messages() -> list[Message]:
    """Return messages between caster and catchers, the first one a STATUS."""
    return [
        status(1),
        hello(),
        report(),
        Welcome(1, 2, 0, 0, 1, 1),
        Ack(1, 2, 0, 5),
        Farewell(1, 2, 0, Ending.DONE, "end"),
        Probe(1, 200),
        Knock(0, 1, 2, 200),
        Digests(1, ObjectKind.CONTENTS, 3, ((0, bytes(32)), (1, b"x" * 32))),
    ]


def _other_messages() -> list[Message]:
    """Return messages of the tools and between relays, which need other keys than those of a session."""
    peers = [Peer(number, number, bytes(16), 5) for number in (1, 2)]
    return [
        Ping(1 << 63, 1),
        Echo(3, 1, 2, Kind.PING, Way.GROUP, 1, 0, 5, 6),
        Assign(1, 2, 0, 1, 1472, *peers),
        Assign(1, 2, 0, 1, 1472, None, None),
        Feed(1, 2, 3, 0, 1, ObjectKind.CONTENTS, 5, 4, False, 200),
        Claim(1, 2, 3, 0, 1, 200, ObjectKind.CONTENTS, 4, 3, 2, 1, 9, 0, 5, 90, ((7, 1, 6), (9, 2, 0)), 1, 2, 3),
        Hop(1, 2, 3, 1, Feeding.FED, 5, 6, 7, 8),
    ]


def _of_the_wire() -> dict[str, Decoder]:
    messages = _session_messages()
    keys = SessionKeys.derive(bytes(32), 1 << 63)
    codec = ControlCodec(keys)
    bodies = []
    for message in messages + _other_messages():
        clear, body = encode_message(message)
        bodies.append(bytes([clear.kind, clear.sender >> 8 == 255]) + body)
    records: list[LogRecord] = [
        NeedsRecord(0, 5, ((0, 1), (3, 4))),
        ComparedRecord(1, 2, 3),
        ErrorRecord(2, b"path", "read"),
        FailedRecord("no"),
    ]
    log = b"".join([encode_record(record) for record in records])
    changes = b"".join(pack_changes([Change(1, 3, 5, -1), Change(7, 8, 1 << 11, 3)]))
    deletions = b"".join(pack_deletions([(0, b"a/b"), (1, b"a/bc")]))
    return {
        "message": Decoder(_read_message, bodies),
        "datagram": Decoder(
            lambda data: (codec.decode(data), open_status(bytes(32), data)), [codec.encode(each) for each in messages]
        ),
        "compressed page": Decoder(
            lambda data: expand(data, 1000), [_deflated(bytes(1000)), _deflated(bytes(2000)), *ZSTD_FRAMES]
        ),
        "log": Decoder(lambda data: LogReader().feed(0, data), [log]),
        "changes": Decoder(lambda data: list(unpack_changes(data)), [changes], answers=(ValueError,)),
        "deletions": Decoder(lambda data: list(unpack_deletions(data)), [deletions], answers=(ValueError,)),
        "needs": Decoder(
            lambda data: decode_needs(data, first=3, end=90),
            [b"".join(encode_needs([(5, 1, 0), (7, 1, 6), (9, 1, 4)], first=3, end=90, room=50)[:1])],
            answers=(ValueError,),
        ),
        "terms": Decoder(_read_terms, [codec.encode(messages[0])]),
        "terms of proofs": Decoder(
            lambda data: prover_of(data.decode("latin-1")),
            [b"sha256", b"1 5 2 100 3 " + b"00" * 32],
            answers=(ValueError,),
        ),
    }


def _deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


def _read_message(data: bytes) -> None:
    kind, is_caster, body = data[0:1], data[1:2], data[2:]
    sender = CASTER_ID if is_caster != b"\0" else 3
    decode_message(Clear(kind[0] if kind else 0, sender, 1, 0, 0), body)


def _read_terms(data: bytes) -> None:
    header = unpack_header(data)
    if header is not None:
        decode_terms(header, data[HEADER_BYTES:])


def _of_trees() -> dict[str, Decoder]:
    folder = Path(tempfile.mkdtemp(prefix="mrsync-fuzz-"))
    for name in ("a", "d/b", "d/e/f"):
        (folder / name).parent.mkdir(exist_ok=True, parents=True)
        (folder / name).write_bytes(name.encode() * 50)
    (folder / "link").symlink_to("a")
    os.link(folder / "a", folder / "d" / "hard")
    policies = [Policy(), Policy(checksum=True, xattrs=True, acls=True, devices=True, rules=("+ *.c",))]
    scanned = [scan(bytes(folder), policy).manifest for policy in policies]
    manifest = scanned[0]
    files = [entry for entry in range(len(manifest)) if manifest.has_contents(entry)]
    plan = Plan(manifest, [(entry, entry + 1) for entry in files], {0: [(0, 10), (30, 10)]})
    blocks = encode_blocks({0: FileBlocks(bytes(10), bytes(8)), 1: FileBlocks(b"x" * 20, b"y" * 16)})
    plan.blocks = blocks
    again = encode_again(ManifestPatch(array("I", [files[0]]), _patch(manifest, files[0])), plan)
    record = KeptRecord(manifest.encode(), 5)
    for grid in (Grid(PAGE, 1000, 32, "sha256"), Grid(PAGE, 999, 18, "1 2 3")):
        record.extend(
            [ProvenFile(len(record) + 1, grid, 150, 300, [], bytes(grid.proof_length(grid.divide(150, 300))))]
        )
    record.extend([ProvenFile(3, Grid(PAGE, 20, 32, "x"), 0, 20, [(0, 5), (10, 15)], bytes(32))])
    journal = _journal()
    access = acl.pack(
        [
            (acl.USER_OBJ, 7, acl.NO_ID),
            (acl.USER, 5, 1000),
            (acl.GROUP_OBJ, 5, acl.NO_ID),
            (acl.MASK, 7, acl.NO_ID),
            (acl.OTHER, 0, acl.NO_ID),
        ]
    )
    return {
        "manifest": Decoder(Manifest.decode, [each.encode() for each in scanned]),
        "plan": Decoder(lambda data: Plan.decode(data, manifest), [plan.encode()]),
        "blocks": Decoder(lambda data: _read_blocks(data, manifest, files), [blocks]),
        "second plan": Decoder(
            lambda data: decode_again(data, Manifest.decode(manifest.encode()), lambda _: None), [again]
        ),
        "policy": Decoder(Policy.decode, [each.encode() for each in policies]),
        "record": Decoder(lambda data: list(KeptRecord.decode(data).files()), [b"".join(record.parts())]),
        "journal": Decoder(lambda data: JournalReader(data, b"tag", b"itself", b"boot"), [journal]),
        "ACL": Decoder(_read_acl, [access], answers=(ValueError,)),
    }


def _patch(manifest: Manifest, entry: int) -> Manifest:
    patch = Manifest(manifest.policy)
    patch.names = [b"", b"x"]
    for name in ("modes", "uids", "gids", "sizes", "mtimes"):
        column = getattr(manifest, name)
        setattr(patch, name, array(column.typecode, [column[0], column[entry]]))
    patch.parents, patch.directories, patch.child_starts = array("I", [0, 0]), array("I", [0]), array("I", [1, 2])
    return patch


def _journal() -> bytes:
    packer = packing.Packer(MAGIC)
    for blob in (b"tag", b"itself", b"boot"):
        packer.blob(blob)
    packer.number(2)
    packer.column(array("I", [0, 1]))
    packer.strings([b"one", b"two"])
    packer.column(array("I", [0, 1]))
    packer.number(2)
    packer.strings([b"", b"d"])
    for typecode in "qqqQ":
        packer.column(array(typecode, [1, 2]))
    head = packer.packed()
    return HEAD.pack(len(head)) + head + bytes(60)


def _read_blocks(data: bytes, manifest: Manifest, files: list[int]) -> None:
    plan = Plan(manifest, [(entry, entry + 1) for entry in files], {})
    plan.blocks = data
    decode_blocks(plan, PAGE)


def _read_acl(data: bytes) -> None:
    acl.translated(acl.with_mode(acl.without_mode(data) or data, 0o640), {1000: 5}, {})


def _of_lists_and_rules() -> dict[str, Decoder]:
    output = b"sending incremental file list\ndeleting old/\n./\na\nlink -> a\nd/hard => a\n\nsent 1 bytes  received\n"
    itemized = b"*deleting   old\n>f+++++++++ a\ncL+++++++++ link -> a\nhf          d/hard => a\n.d..t...... ./\n"
    synclist = b"file a\ndirectory b\nhardlink c\td\ndeleting x\nsymlink l\ta\n"
    rules = [
        b"- *.o",
        b"+ /a/**/b?",
        b"P [!a-z[:digit:]]*",
        b"dir-merge,n- .rules",
        b"hide secret",
        b"!",
        b": .f",
        b"-x user.*",
    ]
    expressions = [b"a*b(c|d)+[^x-z]{2,30}$", b"^(ab*){3}.?\\.c", b"(((a?){9}){9}){9}", b"[[:alpha:]]|x{1,}"]
    wild = [b"a*b?c[!d-f]**/x", b"***", b"[[:space:]]\\*", b"*a*a*a*a*a*a*b"]
    return {
        "rsync's output": Decoder(
            lambda data: translate(data.splitlines(True), b"/usr/share/doc"),
            [output, itemized],
            (b" -> ", b" => ", b"deleting "),
        ),
        "synclist": Decoder(lambda data: parse_lines(data.splitlines(True), "list"), [synclist], (b"\\#012", b"\t")),
        "rules": Decoder(_read_rules, [*rules, b"\n".join(rules)], (b"**", b"[", b"/", b"\\", b"merge ", b",sr!Cw ")),
        "patterns": Decoder(_read_glob, wild, (b"**", b"[!", b"[:alpha:]", b"\\")),
        "expressions": Decoder(_read_expressions, expressions, (b"(", b")*", b"{1,255}", b"[^", b"|"), (ValueError,)),
        "shell patterns": Decoder(
            _read_shell_patterns, [*wild, b"a b 'c d' {x,y}"], (b"[", b"{", b","), (MrsyncError, ValueError)
        ),
        "merge files": Decoder(
            lambda data: [
                list(split_entries(data, has_nuls=nuls, has_words=words))
                for nuls in (False, True)
                for words in (False, True)
            ],
            [b"a\r\n# b\n;c\0d e"],
        ),
    }


PATHS = (b"a", b"a/" * 40 + b"b", b"a" * 200, b"x y/z.c")


def _read_rules(data: bytes) -> None:
    found = [parse_rule(line, 0, "rules") for line in data.split(b"\n")[:50]]
    compile_runs([rule for rule in found if rule is not None])


def _read_glob(data: bytes) -> None:
    import re

    expression = globs.translate(data, b"$", itertools.count())
    if expression is not None:
        for path in PATHS:
            re.match(expression, path, re.DOTALL)


def _read_expressions(data: bytes) -> None:
    patterns = Patterns(data.split(b"\n"))
    for path in PATHS:
        patterns.match(path)


def _read_shell_patterns(data: bytes) -> None:
    for word in split_list(data):
        expression = translate_pattern(word)
        for path in PATHS:
            expression.fullmatch(os.fsdecode(path))


def _of_settings() -> dict[str, Decoder]:
    settings = b'rate = "5M"\nexclude = ["a", "b"]\ndelete = false\nfanout = 5\n'
    invitation = Invitation(("a", "b"), b"/d", bytes(32), verify_key=bytes(32), masters=("10.0.0.1",))
    ini = b"[web]\na ansible_host=10.0.0.1\nb[01:20]\n[all:children]\nweb\n[web:vars]\nansible_user=x\n"
    yaml = b"all:\n  children:\n    web:\n      hosts:\n        a: {ansible_host: 10.0.0.1}\n        b[01:20]:\n"
    keys = b"0" * 64 + b"\n0 " + b"1" * 64
    return {
        "settings": Decoder(_read_settings, [settings], (b"=", b'"', b"[[", b"true", b"1e999", b"1979-05-27")),
        "key file": Decoder(
            lambda data: keyfile._read_lines("keys", b"group " + data), [keys], (b"group ", b"\n7 "), (MrsyncError,)
        ),
        "inventory": Decoder(
            lambda data: read_inventory("hosts", data.decode("latin-1")), [ini], (b"[1:9]", b":children]")
        ),
        "inventory in YAML": Decoder(
            lambda data: read_inventory("h.yml", data.decode("latin-1")), [yaml], (b"&a ", b"*a", b"<<: ")
        ),
        "invitation": Decoder(
            lambda data: Invitation.decode(data).settings_for("a"), [invitation.encode()], (b"null", b"[]", b"1e999")
        ),
    }


def _read_settings(data: bytes) -> None:
    path = Path(tempfile.gettempdir(), f"mrsync-fuzz-{os.getpid()}.toml")
    path.write_bytes(data)
    parse_configured(make_parser(MRSYNC), ["--config", str(path)], reads_defaults=False)


def _of_targets() -> dict[str, Decoder]:
    facts = encode_facts([HostFacts(), Heard()]).encode()
    findings = [encode_finding(TreeVerdict()).encode(), encode_finding(Difference("extra", b"\xff", "", 3)).encode()]
    return {
        "facts": Decoder(decode_facts, [facts], (b"null", b"[]", b"1e999", b"NaN")),
        "finding": Decoder(decode_finding, findings, (b"null", b"[]", b"1e999", b"NaN", b'"\\ud800"')),
        "readiness": Decoder(
            Readiness.decode, [Readiness("10.0.0.1", 5).encode().encode()], (b"null", b"[]", b"1e999")
        ),
    }


def read(decoder: Decoder, data: bytes) -> None:
    """Read an input. Raise what is no answer: a fault of the decoder."""
    try:
        with uncompressed():
            decoder.read(data)
    except decoder.answers:
        return
    except OSError as error:
        if error.errno not in (errno.ENAMETOOLONG, errno.ENOENT, errno.EINVAL):
            raise
