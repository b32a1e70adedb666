"""Several SOURCEs as one tree: what counts where they meet, and what is complete."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mrsync.errors import SelectionError
from mrsync.tree.filter.rules import parse_rule
from mrsync.tree.model.manifest import DIRECTORY
from mrsync.tree.source.scan import scan
from mrsync.tree.source.scanner import Scan
from mrsync.tree.source.selection import Operand, Selection


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    for path, contents in {
        "one/same": "first",
        "one/both/x": "1",
        "one/kind": "a file",
        "two/same": "second one",
        "two/both/y": "2",
        "two/kind/z": "in a directory",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(contents)
    return tmp_path


def scanned(*operands: Operand, ignores_missing: bool = False) -> Scan:
    selection = Selection(operands=operands, ignores_missing=ignores_missing)
    return scan(operands[0].root, selection=selection)


def whole(path: Path) -> Operand:
    return Operand(os.fsencode(path), None)


def sizes(found: Scan) -> dict[bytes, int]:
    """Return the sizes of files by path, -1 for directories."""
    manifest = found.manifest
    return {
        manifest.path(entry): -1 if manifest.kind(entry) == DIRECTORY else manifest.sizes[entry]
        for entry in range(len(manifest))
    }


def test_the_first_file_counts_and_directories_are_merged(sources: Path) -> None:
    found = scanned(whole(sources / "one"), whole(sources / "two"))
    assert found.errors == []
    assert sizes(found) == {
        b"": -1, b"both": -1, b"both/x": 1, b"both/y": 1, b"kind": -1, b"kind/z": 14, b"same": 5,
    }  # fmt: skip
    assert not found.manifest.incomplete


def test_named_entries_leave_the_root_incomplete(sources: Path) -> None:
    found = scanned(Operand(os.fsencode(sources), (b"one",)), Operand(os.fsencode(sources / "two"), (b"same",)))
    assert sizes(found) == {
        b"": -1, b"one": -1, b"one/both": -1, b"one/both/x": 1, b"one/kind": 6, b"one/same": 5, b"same": 10,
    }  # fmt: skip
    assert found.manifest.incomplete == {0}
    assert found.manifest.policy.leaves_root


def test_a_missing_name_is_an_error(sources: Path) -> None:
    found = scanned(Operand(os.fsencode(sources / "one"), (b"same", b"none")))
    assert [os.path.basename(error.path) for error in found.errors] == [b"none"]
    assert set(sizes(found)) == {b"", b"same"}


@pytest.mark.parametrize("ignores_missing", [False, True])
def test_nothing_is_deleted_if_a_source_directory_is_missing(sources: Path, ignores_missing: bool) -> None:
    found = scanned(whole(sources / "one"), whole(sources / "none"), ignores_missing=ignores_missing)
    assert [error.path for error in found.errors] == [os.fsencode(sources / "none")]
    assert not found.deletes
    assert sizes(found)[b"same"] == 5


def test_rule_files_are_of_the_source_that_has_them(sources: Path) -> None:
    (sources / "two/both/.rsync-filter").write_text("- x\n- y\n")
    merging = parse_rule(b": .rsync-filter", 0, "here")
    assert merging is not None
    operands = (whole(sources / "one"), whole(sources / "two"))
    found = scan(operands[0].root, selection=Selection(operands=operands, rules=(merging,)))
    assert b"both/x" in sizes(found), "the rules of the second source are not those of the first"
    assert b"both/y" not in sizes(found)


def test_a_destination_that_a_merge_file_of_its_source_excludes_may_be_in_it(sources: Path) -> None:
    (sources / "two/.rules").write_text("- /new\n")
    status = (sources / "two").stat()
    selection = Selection(
        operands=(whole(sources / "one"), whole(sources / "two")),
        off_limits={(status.st_dev, status.st_ino): {b"new": b"two/new"}},
    )
    with pytest.raises(SelectionError, match=r"is in SOURCE \(new\)"):
        scan(os.fsencode(sources / "one"), selection=selection)
    merging = parse_rule(b": .rules", 0, "here")
    assert merging is not None
    found = scan(os.fsencode(sources / "one"), selection=selection._replace(rules=(merging,)))
    assert b"kind/z" in sizes(found)
