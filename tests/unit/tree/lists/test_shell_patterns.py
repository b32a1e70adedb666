"""Patterns: the same names as the shell finds, and never anything outside the source."""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
import warnings
from pathlib import Path

import pytest

from mrsync.errors import SelectionError
from mrsync.tree.lists.shell_patterns import match_patterns, split_list, translate_pattern
from mrsync.tree.lists.synclist import Instruction, Item

NAMES = (
    "a.c", "b.c", ".hidden.c", "foo", "foo1", "bar", "[x]", "a-b", "a]b", "!x", "^x", "x y", "12.ext", "1a.ext", "A.C",
    "back\\slash", "käse", "☃", "new\nline", "{a,b}", "*", "?", "z", "-", "..almost", "a,b",
)  # fmt: skip
PIECES = (
    "*", "?", "[a-c]", "[!a]", "[^a]", "[]x]", "[[:digit:]]", "[![:digit:]]", "[a-]", "\\*", "\\?", "\\\\", ".", "a",
    "b", "c", "x", "foo", "/", "[", "]", "{a,b}", "**", "☃", "[0-9]", "ext", "-", "\\[", "!",
)  # fmt: skip


@pytest.fixture
def source(tmp_path: Path) -> Path:
    source = tmp_path / "source"
    for folder in ("", "subs", "sub2", ".dots", "foo.d"):
        (source / folder).mkdir(exist_ok=True)
        for name in NAMES:
            (source / folder / name).touch()
    return source


def has_wildcard(pattern: str) -> bool:
    return re.search(r"[*?]|\[[^/]+\]", re.sub(r"\\.", "", pattern)) is not None


def matched(source: Path, *patterns: str) -> set[str]:
    try:
        items, _ = match_patterns(os.fsencode(source), [os.fsencode(pattern) for pattern in patterns])
    except SelectionError as error:
        assert str(error).startswith("nothing in the source matches")  # noqa: PT017
        return set()
    return {os.fsdecode(item.path) for item in items}


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
@pytest.mark.parametrize("seed", range(3))
def test_patterns_match_what_bash_finds(source: Path, seed: int) -> None:
    chance = random.Random(seed)
    patterns = ["".join(chance.choices(PIECES, k=chance.randrange(1, 5))).strip("/") for _ in range(250)]
    patterns = [pattern for pattern in patterns if pattern and not {"..", "."} & set(pattern.split("/"))]
    script = "shopt -s nullglob; IFS=; while read -r -d '' p; do printf '%s\\0' $p; echo; done"
    command = ["bash", "-c", f"set +o braceexpand; {script}"]
    found = 0
    for pattern in filter(has_wildcard, patterns):  # other words the shell does not look up
        done = subprocess.run(
            command, cwd=source, capture_output=True, check=True, input=os.fsencode(pattern) + b"\0",
            env={"LC_ALL": "C.UTF-8", "PATH": os.environ["PATH"]},
        )  # fmt: skip
        expected = {os.fsdecode(name).rstrip("/").replace("//", "/") for name in done.stdout[:-1].split(b"\0") if name}
        expected = {name for name in expected if os.path.lexists(source / name)}
        assert matched(source, pattern) == expected, pattern
        found += len(expected)
    assert found > 30


def test_as_in_the_readme_of_4_0_1(source: Path) -> None:
    patterns = split_list(b"*.c,subs/foo*,sub2/[0-9][0-9].ext")
    items, idle = match_patterns(os.fsencode(source), patterns)
    assert {item.path for item in items} == {b"a.c", b"b.c", b"subs/foo", b"subs/foo1", b"sub2/12.ext"}
    assert {item.kind for item in items} == {Instruction.FILE}
    assert idle == []


def test_commas_that_belong_to_a_pattern(source: Path) -> None:
    assert split_list(b"a\\,b,,{a\\,b},\\*") == [b"a,b", b"{a,b}", b"\\*"]
    assert matched(source, "a,b", "\\*") == {"a,b", "*"}


def test_directories_are_taken_with_all_in_them_and_links_are_links(source: Path) -> None:
    (source / "to").symlink_to("subs")
    items, idle = match_patterns(
        os.fsencode(source), [b"subs", b"foo.d/", b"to", b"./sub2//z", b"a.c/", b"to/a.c", b"no*"]
    )
    assert items == [
        Item(Instruction.TREE, b"subs"), Item(Instruction.TREE, b"foo.d"), Item(Instruction.SYMLINK, b"to", b"subs"),
        Item(Instruction.FILE, b"sub2/z"),
    ]  # fmt: skip
    assert idle == [b"a.c/", b"to/a.c", b"no*"]
    assert match_patterns(os.fsencode(source), [b"."])[0] == [Item(Instruction.TREE, b"")]


@pytest.mark.parametrize("pattern", [b"../x", b"/etc/*", b"sub/../../x", b"a/..", b".."])
def test_no_pattern_leads_out_of_the_source(source: Path, pattern: bytes) -> None:
    with pytest.raises(SelectionError, match="is outside the source"):
        match_patterns(os.fsencode(source), [b"a.c", pattern])


def test_an_empty_list_and_a_list_without_matches(source: Path) -> None:
    for patterns in ([], [b"nothing*", b"\\..", b"[z-a]"]):
        with pytest.raises(SelectionError, match="nothing in the source matches"):
            match_patterns(os.fsencode(source), patterns)


def test_a_dot_is_matched_only_by_a_dot(source: Path) -> None:
    assert matched(source, "*hidden.c") == matched(source, "?hidden.c") == matched(source, "[.]hidden.c") == set()
    assert matched(source, ".h*") == {".hidden.c"}
    assert matched(source, "sub?/.*c") == {"subs/.hidden.c", "sub2/.hidden.c"}


def test_many_stars_take_no_time() -> None:
    expression = translate_pattern(b"*a" * 40 + b"b")
    assert expression.fullmatch("a" * 250 + "b")
    assert not expression.fullmatch("a" * 251)
    assert translate_pattern(b"*a*b*").fullmatch("xaxbx")
    assert not translate_pattern(b"*ab*ab").fullmatch("xab")


@pytest.mark.parametrize("pattern", [b"[a--]", b"[a---c]", b"[!d---f]", b"[+--/]", b"[--a]"])
def test_dashes_in_sets_are_no_set_operations(pattern: bytes) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        translate_pattern(pattern)
