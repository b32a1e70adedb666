"""docs/protocol.md against the code: tags, offsets, numbers and every example, read from the document itself."""

from __future__ import annotations

import hmac
import importlib
import inspect
import io
import pkgutil
import re
import tokenize
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import NamedTuple, get_args

import pytest

import mrsync.wire
from mrsync.protocol.core import states
from mrsync.protocol.core.timers import Timer
from mrsync.tree.delta import blocks
from mrsync.tree.delta.blocks import encode_blocks
from mrsync.tree.model import manifest, manifest_patch, plan
from mrsync.tree.model.attributes import AttributeSets
from mrsync.tree.model.manifest import Manifest
from mrsync.tree.model.manifest_patch import encode_again
from mrsync.tree.model.marks import Listed
from mrsync.tree.model.plan import Plan
from mrsync.tree.model.policy import Policy
from mrsync.wire import limits, messages, records
from mrsync.wire.formats.record_codec import RecordDecoder, encode_record
from mrsync.wire.formats.session import ControlCodec, Rejection
from mrsync.wire.header import Header, pack_header, page_headers, session_tag
from mrsync.wire.layout import Layout
from mrsync.wire.seals.keys import SessionKeys
from mrsync.wire.seals.sealing import PageSealer, has_aes_gcm
from mrsync.wire.terms import Term, decode_terms, encode_terms

PROJECT = Path(__file__).parents[1]
DOCUMENT = (PROJECT / "docs" / "protocol.md").read_text()
TAG = re.compile(r"(?<!\w)\[([a-z]+(?:-[a-z]+)+)\]")
LINK = 9  # of the hop in the examples
needs_gcm = pytest.mark.skipif(not has_aes_gcm(), reason="needs the package cryptography")


class PageSample(NamedTuple):
    """What the example of a page says of it."""

    data: bytes
    object: int
    page: int
    generation: int
    packets: int
    tx: int


class CodedSample(NamedTuple):
    """What the example of a coded packet says of it; slices in hex."""

    terms: tuple[Term, ...]
    slices: tuple[str, ...]
    tx: int


class Field(NamedTuple):
    """One tagged line of an example."""

    tag: str
    data: bytes
    value: str


class Example(NamedTuple):
    """A fenced block: what it is of, the object it shows, its tagged bytes, and named bytes behind them."""

    kind: str
    shown: object
    fields: list[Field]
    named: dict[str, bytes]

    @property
    def data(self) -> bytes:
        return b"".join(field.data for field in self.fields)


def tables() -> Iterator[list[list[str]]]:
    """Every table as rows of cells, its header first."""
    for block in re.findall(r"(?:^\|.*\n)+", DOCUMENT, re.MULTILINE):
        rows = [[cell.strip(" `") for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in block.splitlines()]
        yield [rows[0], *rows[2:]]


def tables_of(*columns: str) -> list[list[list[str]]]:
    return [table[1:] for table in tables() if table[0][: len(columns)] == list(columns)]


def layouts() -> list[list[tuple[str, str, str]]]:
    """Every field table as (offset, type, tag)."""
    return [[(row[0], row[1], row[2].strip("[]")) for row in rows] for rows in tables_of("offset", "type", "tag")]


def object_tables() -> list[list[tuple[str, str]]]:
    """Every table of sections of an object as (section, tag)."""
    return [[(row[0], row[1].strip("[]")) for row in rows] for rows in tables_of("section", "tag")]


def packed_sections(encode: Callable[..., object]) -> list[tuple[str, str]]:
    """The sections that a function packs, in the order of its lines, as (section, tag)."""
    return re.findall(r"packer\.(?:joined_)?(\w+)\(.*  # \[([a-z-]+)\]", inspect.getsource(encode))


def wire_layouts() -> Iterator[Layout]:
    """Every table of fields in the code."""
    for module in pkgutil.walk_packages(mrsync.wire.__path__, "mrsync.wire."):
        members = vars(importlib.import_module(module.name))
        yield from (member for member in members.values() if isinstance(member, Layout))


def width(kind: str) -> int | None:
    """Bytes of a field of this type, None if that varies."""
    found = re.fullmatch(r"(?:(\d+) x )?u(\d+)|(\d+) bytes", kind)
    if found is None:
        return None
    return int(found[3]) if found[3] else int(found[1] or 1) * int(found[2]) // 8


def examples(kind: str) -> list[Example]:
    blocks = re.findall(rf"^```({kind}\b[^\n]*)\n(.*?)\n\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)
    names = {
        **vars(messages),
        **vars(records),
        "PageSample": PageSample,
        "CodedSample": CodedSample,
        "__builtins__": {},
    }
    return [Example(name, eval(shown, names), *parsed_lines(lines)) for name, shown, lines in blocks]


def parsed_lines(lines: str) -> tuple[list[Field], dict[str, bytes]]:
    fields, named, begun = [], {}, ""
    for line in filter(None, lines.splitlines()):
        if re.fullmatch("[0-9a-f]+", line):
            begun += line  # goes on in the next line
        elif found := re.fullmatch(r"([0-9a-f]+) +\[([a-z-]+)\] ?(\d*)", line):
            fields.append(Field(found[2], bytes.fromhex(begun + found[1]), found[3]))
            begun = ""
        else:
            name, data = line.split()
            named[name] = bytes.fromhex(data)
    assert begun == ""
    return fields, named


def keys() -> SessionKeys:
    """Those of the group's secret; a target's own are shown too."""
    group, own = re.findall(r"^```keys\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)
    _shown_keys(own)
    return _shown_keys(group)


def _shown_keys(lines: str) -> SessionKeys:
    shown = dict(re.split(r"  +", line) for line in lines.splitlines())
    derived = SessionKeys.derive(bytes.fromhex(shown.pop("secret")), int(shown.pop("session"), 16))
    assert shown == {use: getattr(derived, use.replace(" ", "_")).hex() for use in shown}
    return derived


KEYS = keys()
SECRET = bytes(range(32))  # as it says there
KINDS_OF_EXAMPLES = ("page", "coded", "message", "record")
EXAMPLES = [example for kind in KINDS_OF_EXAMPLES for example in examples(kind)]


def name_of(example: object) -> str | None:
    return f"{example.kind} {type(example.shown).__name__}" if isinstance(example, Example) else None


def test_every_tag_stands_in_document_and_code() -> None:
    in_code: set[str] = set()
    for path in (PROJECT / "src").rglob("*.py"):
        tokens = tokenize.generate_tokens(io.StringIO(path.read_text()).readline)
        comments = [token.string for token in tokens if token.type == tokenize.COMMENT]
        in_code.update(*(TAG.findall(comment) for comment in comments))
    in_code.update(tag for layout in wire_layouts() for tag in layout.tags)
    in_document = [tag for layout in layouts() for _, _, tag in layout if "-" in tag]
    in_document += [tag for table in object_tables() for _, tag in table]
    assert sorted(in_document) == sorted(in_code)
    assert {field.tag for example in EXAMPLES for field in example.fields} <= set(in_document)
    assert set(TAG.findall(DOCUMENT)) == set(in_document)


def test_tables_of_the_code_have_the_order_of_the_document() -> None:
    in_document = [[tag for _, _, tag in layout] for layout in layouts()]
    for layout in wire_layouts():
        (shown,) = [tags for tags in in_document if layout.tags[0] in tags]
        first = shown.index(layout.tags[0])
        assert shown[first : first + len(layout.tags)] == list(layout.tags)


def test_objects_are_packed_in_the_order_of_the_tables() -> None:
    encoders = (Manifest.encode, AttributeSets.encode, Listed.encode, Plan.encode, encode_blocks, encode_again)
    assert object_tables() == [packed_sections(encode) for encode in encoders]


def test_every_section_has_a_tag() -> None:
    for encode in (Manifest.encode, AttributeSets.encode, Listed.encode, Plan.encode, encode_blocks, encode_again):
        lines = inspect.getsource(encode)
        packed = re.findall(r"packer\.(?:number|blob|column|(?:joined_)?strings|object)\(", lines)
        assert len(packed) == len(packed_sections(encode))


def test_example_of_a_policy() -> None:
    (shown,) = re.findall(r"^```policy\n(.*?)\n```$", DOCUMENT, re.MULTILINE)
    policy = Policy(delta=True, rules=("- *.o",))
    assert policy.encode().decode() == shown
    assert Policy.decode(shown.encode()) == policy


def test_magic_texts_of_objects() -> None:
    magics = re.findall(r"`(mrsync [a-z]+)` and the byte (\d)", DOCUMENT)
    modules = (manifest, plan, blocks, manifest_patch)
    assert [(name.encode(), int(version)) for name, version in magics] == [
        (magic[:-1], magic[-1]) for magic in (getattr(module, "MAGIC", None) or module._MAGIC for module in modules)
    ]


@pytest.mark.parametrize("layout", layouts(), ids=lambda layout: str(layout[0][2]))
def test_offsets_add_up(layout: list[tuple[str, str, str]]) -> None:
    at: int | None = None
    for offset, kind, tag in layout:
        if offset.isdecimal():
            assert at is None or int(offset) == at, tag
            at = int(offset)
        else:
            assert at is None, f"{tag} has an offset"
        size = width(kind)
        at = None if size is None or at is None else at + size


@pytest.mark.parametrize("example", EXAMPLES, ids=name_of)
def test_examples_are_laid_out_as_in_the_tables(example: Example) -> None:
    """Every field has its width and its value, and stands where the table puts it behind the table's other fields."""
    starts: dict[str, int] = {}
    at = 0
    for field in example.fields:
        starts.setdefault(field.tag, at)
        at += len(field.data)
    types = {tag: kind for layout in layouts() for _, kind, tag in layout}
    for field in example.fields:
        assert width(types[field.tag]) in (None, len(field.data)), field.tag
        if re.fullmatch(r"u\d+", types[field.tag]):
            assert int.from_bytes(field.data, "big") == int(field.value), field.tag
    for layout in layouts():
        shown = [(tag, offset) for offset, _, tag in layout if tag in starts and offset.isdecimal()]
        assert len({starts[tag] - int(offset) for tag, offset in shown}) <= 1


@pytest.mark.parametrize(
    "example", [pytest.param(e, marks=[needs_gcm] * ("GCM" in e.kind)) for e in examples("message")], ids=name_of
)
def test_examples_of_messages(example: Example) -> None:
    keys = SessionKeys.derive(SECRET, limits.NO_SESSION) if example.kind.endswith("of session 0") else KEYS
    codec = ControlCodec(keys)
    codec.use_report_seal(messages.SealKind[example.kind.split()[1]])
    key = KEYS.mask(LINK, KEYS.hop_key(LINK))
    codec.set_peers(messages.Peer(3, LINK, bytes(16), 1, key), messages.Peer(4, LINK, bytes(16), 1))
    assert isinstance(example.shown, get_args(messages.Message))
    assert codec.encode(example.shown).hex() == example.data.hex()
    assert codec.decode(example.data) == example.shown
    if "HMAC" in example.kind:
        uses = {
            messages.Hello: keys.catch_control,
            messages.Echo: keys.catch_control,
            messages.Knock: keys.catch_control,
            messages.Hop: keys.catch_control,
            messages.Report: keys.reports,
            messages.Feed: keys.hop_key(LINK),
            messages.Claim: keys.hop_key(LINK),
        }
        tag = hmac.digest(uses.get(type(example.shown), keys.cast_control), example.data[:-16], "sha256")[:16]
        assert example.fields[-1] == Field("control-tag", tag, "")


@pytest.mark.parametrize("example", examples("record"), ids=name_of)
def test_examples_of_records(example: Example) -> None:
    assert isinstance(example.shown, get_args(records.LogRecord))
    assert encode_record(example.shown).hex() == example.data.hex()
    assert RecordDecoder().feed(example.data) == [example.shown]
    (names,) = tables_of("record", "name")
    assert [str(example.data[0]), type(example.shown).__name__] in [row[:2] for row in names]


@needs_gcm
def test_example_of_a_page() -> None:
    (example,) = examples("page")
    data, object, page, generation, packets, tx = page_sample(example)
    nonce, context, header = example.data[:12], example.data[12:30], example.data[30:]
    tag = session_tag(KEYS.session)
    block = page_headers(session_tag=tag, object=object, page=page, generation=generation, count=packets, tx=tx)
    assert header == block
    for seal, sealed in example.named.items():
        sealer = PageSealer(KEYS, messages.SealKind[seal])
        assert sealer.seal(data, object=object, page=page, generation=generation, count=packets) == sealed
    assert example.named["HMAC_SHA256"] == data + hmac.digest(KEYS.pages, context + data, "sha256")[:16]
    aead = pytest.importorskip("cryptography.hazmat.primitives.ciphers.aead")
    assert example.named["AES_256_GCM"] == aead.AESGCM(KEYS.pages).encrypt(nonce, data, context)


def page_sample(example: Example) -> PageSample:
    assert isinstance(example.shown, PageSample)
    return example.shown


def test_example_of_a_coded_packet() -> None:
    (example,) = examples("coded")
    sample = example.shown
    assert isinstance(sample, CodedSample)
    header = Header(
        kind=messages.Kind.CODED,
        packet_index=sample.terms[0][1],
        packet_count=len(sample.terms),
        object=2,
        segment=0,
        session_tag=session_tag(KEYS.session),
        generation=0,
        sender=limits.CASTER_ID,
        page=sample.terms[0][0],
        tx=sample.tx,
    )
    assert pack_header(header) + encode_terms(sample.terms) == example.data
    assert decode_terms(header, example.data[limits.HEADER_BYTES :]) == list(sample.terms)
    mixed = 0
    for one in sample.slices:
        mixed ^= int(one.ljust(8, "0"), 16)
    assert example.named == {"XOR": mixed.to_bytes(4, "big")}


def test_every_message_and_record_has_an_example() -> None:
    shown = {type(example.shown) for example in EXAMPLES}
    assert shown >= {*get_args(messages.Message), *get_args(records.LogRecord)}


@pytest.mark.parametrize(
    ("column", "numbers"),
    [
        ("kind", messages.Kind),
        ("seal", messages.SealKind),
        ("object", messages.ObjectKind),
        ("phase", messages.Phase),
        ("bit", messages.Compression),
        ("ending", messages.Ending),
        ("way", messages.Way),
        ("feeding", messages.Feeding),
        ("cause", records.FailureCause),
    ],
)
def test_numbers_have_the_names_of_the_code(column: str, numbers: type[messages.Kind]) -> None:
    (rows,) = tables_of(column, "name")
    assert [(int(row[0]), row[1]) for row in rows] == [(member.value, member.name) for member in numbers]


def test_reasons_for_rejection() -> None:
    (rows,) = tables_of("reason", "when")
    assert {row[0] for row in rows} == {reason.name for reason in Rejection}


def test_documented_limits_are_those_of_the_code() -> None:
    (rows,) = tables_of("limit", "value")
    in_code = {name: value for name, value in vars(limits).items() if name.isupper()}
    assert {row[0]: int(row[1], 0) for row in rows} == in_code


@pytest.mark.parametrize(
    ("column", "table"),
    [("phase", states.PHASES), ("state of a target", states.TARGETS), ("state of a catcher", states.CATCHERS)],
)
def test_documented_state_tables_are_those_of_the_code(column: str, table: Mapping[Enum, Mapping[Enum, Enum]]) -> None:
    steps = [(state, trigger, after) for state, row in table.items() for trigger, after in row.items()]
    found = next(rows for rows in tables() if rows[0][:2] == [column, "trigger"])
    assert found[1:] == [[part.name for part in step] for step in steps]


def test_documented_timers_are_those_of_the_code() -> None:
    found = next(rows for rows in tables() if rows[0] == ["timer", "meaning"])
    assert found[1:] == [[timer.name, timer.value] for timer in Timer]
