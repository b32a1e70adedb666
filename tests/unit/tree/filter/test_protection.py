"""What rules keep safe on a target, with merge files of its own; and that rules of a manifest are not trusted."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from mrsync.errors import ProtocolDataError
from mrsync.tree.filter.protection import read_rules
from mrsync.tree.filter.rules import RULES_BYTES_MAX
from mrsync.tree.model.policy import Policy
from tests.unit.tree.syncing import sync


@pytest.fixture
def trees(tmp_path: Path) -> tuple[Path, Path]:
    """A source with one directory, and a destination with more."""
    source, dest = tmp_path / "source", tmp_path / "dest"
    (source / "d").mkdir(parents=True)
    for name in ("d", "gone/sub", "keep"):
        (dest / name).mkdir(parents=True)
        (dest / name / "old.o").write_text("o")
        (dest / name / "old.c").write_text("c")
    return source, dest


def left(dest: Path) -> list[str]:
    return sorted(str(path.relative_to(dest)) for path in dest.rglob("*"))


def test_excluded_entries_and_their_parents_are_kept(trees: tuple[Path, Path]) -> None:
    outcome = sync(*trees, policy=Policy(rules=("- *.o",)))
    assert left(trees[1]) == ["d", "d/old.o", "gone", "gone/sub", "gone/sub/old.o", "keep", "keep/old.o"]
    assert outcome.failures == []
    assert outcome.result.deleted == 3
    assert sync(*trees, policy=Policy(rules=("- *.o",))).is_noop


def test_perishable_rules_save_nothing_in_a_directory_that_goes(trees: tuple[Path, Path]) -> None:
    sync(*trees, policy=Policy(rules=("-p *.o",)))
    assert left(trees[1]) == ["d", "d/old.o"]


def test_merge_files_count_as_they_were_before_the_sync(trees: tuple[Path, Path]) -> None:
    source, dest = trees
    (source / ".r").write_text("- *.c\n")
    (dest / ".r").write_text("- *.o\n")
    (dest / "gone/.r").write_text("!\n")
    sync(*trees, policy=Policy(rules=(": .r",)))
    assert left(dest) == [".r", "d", "d/old.o", "keep", "keep/old.o"]
    assert (dest / ".r").read_text() == "- *.c\n"


def test_a_protected_file_is_not_removed_for_a_file_in_its_directorys_place(trees: tuple[Path, Path]) -> None:
    source, dest = trees
    (source / "keep").write_text("a file now")
    outcome = sync(*trees, policy=Policy(rules=("P *.o",)))
    assert (dest / "keep/old.o").exists()
    assert [reason for _, reason in outcome.sat_out] == [errno.ENOTEMPTY]


@pytest.mark.parametrize("text", ["nonsense\n", "- a\nH\n", ". /nowhere/at/all\n"])
def test_where_rules_make_no_sense_nothing_is_deleted(trees: tuple[Path, Path], text: str) -> None:
    dest = trees[1]
    (dest / "gone/.r").write_text(text)
    outcome = sync(*trees, policy=Policy(rules=(": .r",)))
    assert "gone/sub/old.c" in left(dest)
    assert "keep/old.c" not in left(dest)
    assert [failure.path for failure in outcome.failures] == [b"gone"]


def test_merge_file_is_not_reached_through_a_link_and_does_not_block(trees: tuple[Path, Path]) -> None:
    """What a link would say is not known; so below it all is safe."""
    dest = trees[1]
    (dest.parent / "rules").write_text("- *.o\n")
    (dest / "gone" / ".r").symlink_to("../../rules")
    os.mkfifo(dest / "keep/.r")
    before = [name for name in left(dest) if name.startswith("gone")]
    outcome = sync(*trees, policy=Policy(rules=(": .r", "- .r")))
    assert [(failure.errno, failure.path) for failure in outcome.failures] == [(errno.ELOOP, b"gone")]
    assert [name for name in left(dest) if name.startswith("gone")] == before
    assert "keep/old.c" not in left(dest)
    assert "keep/.r" in left(dest)


@pytest.mark.parametrize(
    "rules",
    [
        ("nonsense",),
        ("!",),
        (". /etc/passwd",),
        ("-C",),
        ("",),
        ("- a\0b",),
        ("- " + "x" * 5000,),
        ("- " + "x" * 4000,) * (RULES_BYTES_MAX // 4000 + 1),
    ],
)
def test_rules_of_a_manifest_that_make_no_sense(rules: tuple[str, ...]) -> None:
    with pytest.raises(ProtocolDataError, match="the manifest is damaged"):
        read_rules(Policy(rules=rules))


def test_hostile_rules_do_not_take_forever(trees: tuple[Path, Path]) -> None:
    dest = trees[1]
    for number in range(100):
        (dest / ("a" * 250 + str(number))).touch()
    sync(*trees, policy=Policy(rules=("- " + "*a" * 100 + "b", "- " + "**a" * 100 + "/b")))
