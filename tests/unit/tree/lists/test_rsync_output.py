"""rsync's dry run as a synclist: the real rsync on trees with awful names, and lines that are hard to understand."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from mrsync.errors import SelectionError
from mrsync.tree.lists.rsync_output import translate
from mrsync.tree.lists.synclist import Instruction, Item
from tests.awful import PIECES, AwfulPair
from tests.trees import DEEP_NAME, build_awkward_tree, differences, remove_tree
from tests.unit.tree.applying import apply

needs_rsync = pytest.mark.skipif(shutil.which("rsync") is None, reason="rsync is not installed")


def dry_run(source: bytes, dest: bytes, *options: str, locale: str = "C") -> list[bytes]:
    command = ["rsync", "-avW", "--dry-run", "--delete", "--modify-window=-1", *options]
    done = subprocess.run(
        [*command, source + b"/", dest + b"/"], capture_output=True, check=True, env={**os.environ, "LC_ALL": locale}
    )
    return [line + b"\n" for line in done.stdout.split(b"\n")[:-1]]


@needs_rsync
@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("options", [["-H", "-i"], ["-H", "-ii", "-8"], ["-H"], ["-H", "-v"]], ids=" ".join)
def test_listed_entries_become_equal(tmp_path: Path, seed: int, options: list[str]) -> None:
    is_itemized = options[-1] not in ("-H", "-v")
    pair = AwfulPair(bytes(tmp_path), seed, has_other_modes=is_itemized)  # plain output does not tell of modes
    lines = dry_run(pair.source, pair.dest, *options, locale="C" if seed % 2 else "C.UTF-8")
    for is_known in (is_itemized, None):
        found = translate(lines, pair.source, is_itemized=is_known)
        assert found.doubts == []
    assert found.items
    apply(found.items, pair.source, pair.dest)
    assert differences(pair.source, pair.dest) == []


@needs_rsync
def test_a_whole_tree_of_every_kind(tmp_path: Path) -> None:
    build_awkward_tree(tmp_path / "source", seed=1)
    remove_tree(tmp_path / "source" / os.fsdecode(DEEP_NAME))  # rsync knows no paths beyond PATH_MAX
    (tmp_path / "dest").mkdir()
    found = translate(dry_run(bytes(tmp_path / "source"), bytes(tmp_path / "dest"), "-H"), bytes(tmp_path / "source"))
    assert found.doubts == []
    listed = {item.path for item in found.items}
    assert len(listed) == sum(len(names) + len(files) for _, names, files in os.walk(tmp_path / "source")) + 1


@needs_rsync
def test_a_file_that_is_called_deleting(tmp_path: Path) -> None:
    source, dest = tmp_path / "source", tmp_path / "dest"
    source.mkdir()
    dest.mkdir()
    for name in ("deleting kept", "kept", "deleting gone", "deleting *deleting   x", "unequal"):
        (source / name).write_text(name)
    shutil.copy2(source / "kept", dest)
    (dest / "deleting gone").write_text("old")
    (dest / "extra").touch()
    plain = translate(dry_run(bytes(source), bytes(dest)), bytes(source))
    assert [item.path for item in plain.items if item.kind is Instruction.DELETING] == [b"extra"]
    assert {item.path for item in plain.items if item.kind is Instruction.FILE} == {
        b"deleting kept", b"deleting gone", b"deleting *deleting   x", b"unequal",
    }  # fmt: skip
    assert len(plain.doubts) == 2  # "kept" is in the source and so cannot be deleted; the others might be
    assert all("nothing is deleted" in doubt for doubt in plain.doubts)
    itemized = translate(dry_run(bytes(source), bytes(dest), "-i"), bytes(source))
    assert itemized.doubts == []
    assert set(itemized.items) == set(plain.items)


@needs_rsync
def test_chatter_is_not_an_entry(tmp_path: Path) -> None:
    source, dest = tmp_path / "source", tmp_path / "dest"
    source.mkdir()
    os.mkfifo(source / "fifo")
    (source / "f").touch()
    (source / "up").symlink_to("../../up")
    (dest / "keep").mkdir(parents=True)
    (dest / "keep" / "x.o").touch()
    (dest / "keep" / "y").touch()
    options = ("--no-specials", "--exclude=*.o", "--stats", "--safe-links")
    os.utime(source, (0, 0))
    for more in (["-i"], []):
        found = translate(dry_run(bytes(source), bytes(dest), *options, *more), bytes(source))
        assert found.doubts == []
        assert [item.path for item in found.items if item.kind is not Instruction.DELETING] == [b"", b"f"]
        assert [item.path for item in found.items if item.kind is Instruction.DELETING] == [b"keep/y"]
    assert translate(dry_run(bytes(source), bytes(dest / "new" / "one")), bytes(source)).doubts == []


def test_where_an_arrow_may_be_in_two_places_everything_is_listed(tmp_path: Path) -> None:
    source = bytes(tmp_path)
    (tmp_path / "a").write_text("one file")
    for name in ("b", "b => a", "a => a"):
        os.link(tmp_path / "a", tmp_path / name)
    (tmp_path / "l").symlink_to("m -> n")
    (tmp_path / "l -> m").symlink_to("n")
    names = [b"a", b"a => a", b"b", b"b => a"]
    for line, is_itemized in ((b"hf+++++++++ b => a => a\n", True), (b"b => a => a\n", False)):
        found = translate([line], source, is_itemized=is_itemized)
        assert found.items == [Item(Instruction.FILE, name) for name in names]
    for line, is_itemized in ((b"cL+++++++++ l -> m -> n\n", True), (b"l -> m -> n\n", False)):
        found = translate([line], source, is_itemized=is_itemized)
        assert found.items == [Item(Instruction.SYMLINK, b"l", b"m -> n"), Item(Instruction.SYMLINK, b"l -> m", b"n")]


def test_ambiguous_lines_are_reported_with_their_number(tmp_path: Path) -> None:
    lines = [b"no such file\n", b"../outside\n", b"deleting ../x\n", b"deleting ./\n", b"deleting d/\n"]
    found = translate(lines, bytes(tmp_path), is_itemized=False)
    assert found.items == [Item(Instruction.DELETING, b"d")]
    assert [doubt.partition(",")[0] for doubt in found.doubts] == ["line 1", "line 2", "line 3", "line 4"]
    lines = [
        b"*deleting   ../x\n",
        b">f+++++++++ /etc/passwd\n",
        b"hf+++++++++ a => b\n",
        b"what?\n",
        b"cL+++++++++ l\n",
    ]
    found = translate(lines, bytes(tmp_path), is_itemized=True)
    assert found.items == []
    assert len(found.doubts) == len(lines)


def test_what_the_source_has_is_deleted_only_if_options_may_leave_it_out(tmp_path: Path) -> None:
    """The text comes from a target, and decides for all of them."""
    (tmp_path / "kept").touch()
    (tmp_path / "dir").mkdir()
    (tmp_path / "link").symlink_to("nowhere")
    os.mkfifo(tmp_path / "fifo")  # may be left out by --no-specials
    (tmp_path / "was a directory").touch()
    names = [b"kept", b"dir/", b"link", b"fifo", b"gone", b"was a directory/"]
    lines = [*(b"*deleting   " + name + b"\n" for name in names), b">f+++++++++ was a directory\n"]
    deleted = {
        is_whole: [
            item.path
            for item in translate(lines, bytes(tmp_path), is_itemized=True, is_whole=is_whole).items
            if item.kind is Instruction.DELETING
        ]
        for is_whole in (False, True)
    }
    assert deleted[False] == [name.rstrip(b"/") for name in names]
    assert deleted[True] == [b"fifo", b"gone", b"was a directory"]
    doubts = translate(lines[:1], bytes(tmp_path), is_itemized=True, is_whole=True).doubts
    assert doubts == ["'kept': the source has it, so it is not deleted"]


@needs_rsync
@pytest.mark.parametrize("seed", range(4))
def test_an_honest_rsync_deletes_nothing_that_the_source_has(tmp_path: Path, seed: int) -> None:
    pair = AwfulPair(bytes(tmp_path), seed, has_other_modes=True)
    lines = dry_run(pair.source, pair.dest, "-H", "-i")
    found = translate(lines, pair.source, is_itemized=True)
    assert translate(lines, pair.source, is_itemized=True, is_whole=True) == found


def test_a_line_is_shown_as_rsync_wrote_it(tmp_path: Path) -> None:
    (doubt,) = translate([b"bad\\#377\n"], bytes(tmp_path), is_itemized=False).doubts
    assert doubt == "line 1, 'bad\\#377': the source has no such entry"


def test_output_of_which_no_line_is_itemized_is_refused_with_one_sentence(tmp_path: Path) -> None:
    said = [b"sending incremental file list\n", b"new\n", b"deleting old\n", b"\n", b"sent 1 bytes  received 2 bytes\n"]
    with pytest.raises(SelectionError, match="this is no output of rsync -i"):
        translate(said, bytes(tmp_path), is_itemized=True)
    assert translate([said[0], *said[3:]], bytes(tmp_path), is_itemized=True) == ([], [])  # nothing differs


def test_a_removed_link_is_listed_as_rsync_saw_it(tmp_path: Path) -> None:
    found = translate(
        [b"cL+++++++++ gone -> there\n", b".L..t...... gone -> there\n"], bytes(tmp_path), is_itemized=True
    )
    assert found.items == [Item(Instruction.SYMLINK, b"gone", b"there"), Item(Instruction.ATTRIBUTES, b"gone")]


def test_pieces_hold_what_programs_write_between_names() -> None:
    assert {b" -> ", b" => ", b"\n", b"\\#012", b"\t"} <= set(PIECES)
