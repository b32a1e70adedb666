"""Size limits, and rules that cannot be read; the rest of the choice is tested with filters and against rsync."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from mrsync.errors import RuleError
from mrsync.tree.filter import rules
from mrsync.tree.filter.rules import Rule
from mrsync.tree.model.manifest import OMITTED, Manifest
from mrsync.tree.model.policy import Policy
from mrsync.tree.source.scan import scan
from mrsync.tree.source.selection import Selection
from tests.unit.tree.syncing import as_nobody, nobodys_directory, sync

MERGE = Rule(b".r", rules.MERGE | rules.PER_DIRECTORY)


def test_files_of_other_sizes_are_left_alone(tmp_path: Path) -> None:
    source, dest = tmp_path / "source", tmp_path / "dest"
    source.mkdir()
    dest.mkdir()
    for name, size in (("0", 0), ("1", 1), ("5", 5), ("9", 9), ("9 too", 9)):
        (source / name).write_bytes(b"x" * size)
    (source / "link").symlink_to("0")
    os.link(source / "9", source / "9 linked")
    (dest / "9").write_text("as it was")
    (dest / "0").mkdir()
    (dest / "old").touch()
    limited = Selection(size_min=1, size_max=5)
    found = scan(os.fsencode(source), Policy(), limited).manifest
    assert [found.names[i] for i in range(1, len(found)) if found.kind(i) == OMITTED] == [
        b"0",
        b"9",
        b"9 linked",
        b"9 too",
    ]
    assert Manifest.decode(found.encode()).leaders == {}
    sync(source, dest, selection=limited)
    assert sorted(os.listdir(dest)) == ["0", "1", "5", "9", "link"]
    assert (dest / "9").read_text() == "as it was"
    assert (dest / "0").is_dir()
    assert sync(source, dest, selection=limited).is_noop


def test_rules_above_a_source_behind_a_link_are_those_of_its_own_directory(tmp_path: Path) -> None:
    (tmp_path / "far/goal").mkdir(parents=True)
    (tmp_path / "far/.r").write_text("- hidden\n")
    (tmp_path / ".r").write_text("- seen\n")
    for name in ("hidden", "seen"):
        (tmp_path / "far/goal" / name).touch()
    (tmp_path / "l").symlink_to("far/goal")
    found = scan(os.fsencode(tmp_path / "l/../goal"), Policy(), Selection(rules=(MERGE._replace(pattern=b"/.r"),)))
    assert found.manifest.names[1:] == []  # far/.r and .r are above far/goal, as for rsync
    found = scan(os.fsencode(tmp_path / "l/.."), Policy(), Selection(rules=(MERGE,)))
    assert {name for name in found.manifest.names[1:] if name in (b"hidden", b"seen")} == {b"seen"}


def test_a_bad_rule_in_the_source_ends_the_scan(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d/.r").write_text("- fine\nnonsense\n")
    with pytest.raises(RuleError, match=rf"^{tmp_path}/d/.r, line 2: unknown filter rule$"):
        scan(os.fsencode(tmp_path), Policy(), Selection(rules=(MERGE,)))


def test_rules_that_cannot_be_read_are_an_error_and_nothing_is_deleted() -> None:
    def run() -> None:
        (source / ".r").write_text("- hidden\n")
        (source / ".r").chmod(0)
        (source / "hidden").touch()
        found = scan(os.fsencode(source), Policy(), Selection(rules=(MERGE,)))
        assert [(failure.errno, failure.action) for failure in found.errors] == [(errno.EACCES, "read the rules in")]
        assert not found.manifest.policy.deletes

    with nobodys_directory() as source:
        as_nobody(run)


def test_excluded_unreadable_entries_are_not_errors() -> None:
    def run() -> None:
        (source / "d").mkdir()
        (source / "d/secret").touch()
        (source / "d").chmod(0o400)
        every = scan(os.fsencode(source))
        assert [failure.errno for failure in every.errors] == [errno.EACCES]
        assert scan(os.fsencode(source), Policy(), Selection(rules=(Rule(b"secret", 0),))).errors == []
        (source / "d").chmod(0o700)

    with nobodys_directory() as source:
        as_nobody(run)
