"""Synclists: what is written is read back; whatever else somebody writes is refused with its line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mrsync.errors import SelectionError
from mrsync.tree.lists.synclist import Instruction, Item, checked_path, escape, format_lines, parse_lines, unescape
from mrsync.tree.model.limits import DEPTH_MAX

NAMES = st.binary(min_size=1, max_size=20).filter(lambda raw: not {0, 47} & set(raw) and raw not in (b".", b".."))
PATHS = st.lists(NAMES, min_size=1, max_size=4).map(b"/".join)
SINGLE = [kind for kind in Instruction if kind not in (Instruction.SYMLINK, Instruction.HARDLINK)]
ITEMS = st.one_of(
    st.builds(Item, st.sampled_from(SINGLE), PATHS, st.just(b"")),
    st.builds(
        Item, st.just(Instruction.SYMLINK), PATHS, st.binary(min_size=1, max_size=40).filter(lambda raw: 0 not in raw)
    ),
    st.builds(Item, st.just(Instruction.HARDLINK), PATHS, PATHS).filter(lambda item: item.path != item.other),
)
AWFUL = (
    b"new\nline", b"a -> b", b"a => b", b"deleting x", b"# comment", b"tab\there", b"\xff\xfe", b"back\\slash",
    b"\\#012", b" lead", b"trail ", b"\r", "käse ☃".encode(), "\N{RIGHT-TO-LEFT OVERRIDE}".encode(),
)  # fmt: skip


@given(st.lists(ITEMS, max_size=8))
def test_formatted_items_can_be_parsed(items: list[Item]) -> None:
    text = b"".join(format_lines(items))
    assert parse_lines(text.splitlines(keepends=True), "list") == items
    assert parse_lines(text.split(b"\n"), "list") == items


@pytest.mark.parametrize("name", AWFUL)
def test_awful_names_are_one_printable_line(name: bytes) -> None:
    lines = list(
        format_lines(
            [Item(Instruction.FILE, name), Item(Instruction.SYMLINK, b"s", name), Item(Instruction.DELETING, name)]
        )
    )
    assert len(lines) == 4
    assert all(line.decode().replace("\t", "").rstrip("\n").isprintable() for line in lines)


def test_readable_names_stay_as_they_are() -> None:
    items = [Item(Instruction.FILE, "käse ☃/mit Loch".encode()), Item(Instruction.SYMLINK, b"a -> b", b"c\\d")]
    assert list(format_lines(items)) == [
        b"# mrsync synclist 1\n", "file käse ☃/mit Loch\n".encode(), b"symlink a -> b\tc\\d\n",
    ]  # fmt: skip


def test_comments_and_slashes_of_a_list_written_by_hand_are_taken() -> None:
    text = b"# from my editor\n\nfile a\ntree sub/\ndirectory .\nattributes ./\nhardlink b\ta"
    assert parse_lines(text.split(b"\n"), "list") == [
        Item(Instruction.FILE, b"a"), Item(Instruction.TREE, b"sub"), Item(Instruction.DIRECTORY, b""),
        Item(Instruction.ATTRIBUTES, b""),
        Item(Instruction.HARDLINK, b"b", b"a"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"# mrsync synclist 2", "version '2'"),
        (b"plain name", "'plain' is not one of file, attributes,"),
        (b"file", "a name is empty"),
        (b"file ", "a name is empty"),
        (b"file /etc/passwd", "'/etc/passwd' is not relative"),
        (b"deleting ../x", "'.' or '..'"),
        (b"deleting a/../../x", "'.' or '..'"),
        (b"file a/./x", "'.' or '..'"),
        (b"file \\#056\\#056/x", "'.' or '..'"),
        (b"file a//b", "a name is empty"),
        (b"file .", "the root cannot be listed as file"),
        (b"deleting .", "the root cannot be listed as deleting"),
        (b"file a\tb", "file has one field"),
        (b"symlink a", "symlink has two fields"),
        (b"symlink a\t", "impossible target"),
        (b"symlink a\t" + b"x" * 4096, "impossible target"),
        (b"symlink a\tb\\#000", "impossible target"),
        (b"hardlink a\ta", "leads to itself"),
        (b"hardlink a\t.", "leads to itself or to the root"),
        (b"hardlink a\t../b", "'.' or '..'"),
        (b"file a\\#000b", "NUL"),
        (b"file a\x00b", "control character"),
        (b"file a\r", "control character"),
        (b"file a\\#777", "is not a byte"),
        (b"file " + b"n" * 256, "too long"),
        (b"file " + b"d/" * DEPTH_MAX + b"f", "directories deep"),
        (b"file " + b"n" * (5 << 20), "too long"),
    ],
)
def test_a_bad_line_is_refused_with_its_place(line: bytes, reason: str) -> None:
    with pytest.raises(SelectionError) as caught:
        parse_lines([line + b"\n"], "/tmp/list")
    assert str(caught.value).startswith("/tmp/list, line 1: ")
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


@given(st.binary(max_size=60))
def test_any_bytes_are_items_or_one_sentence(text: bytes) -> None:
    try:
        items = parse_lines(text.split(b"\n"), "list")
    except SelectionError as error:
        assert str(error).isprintable()  # noqa: PT017
        return
    for item in items:
        assert checked_path(item.path or b".") == item.path


@given(st.binary(max_size=40))
def test_escapes_are_undone(raw: bytes) -> None:
    assert unescape(escape(raw)) == raw
