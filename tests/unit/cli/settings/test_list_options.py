"""Options that select a few entries: their sources exclude one another, and patterns come from text or a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from mrsync.cli.settings.options import parse_mrsync
from mrsync.errors import SelectionError, UsageError
from mrsync.tree.model.policy import Policy
from mrsync.tree.source.selection import Selection


def parse(source: Path, *arguments: str) -> tuple[Policy, Selection]:
    settings = parse_mrsync(["-m", "a", "-s", str(source), *arguments])[0]
    return settings.policy, settings.selection


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["-l", "a", "--synclist", "x"], "-l and --synclist cannot be given together"),
        (["-l", "a", "--compare", "rsync"], "-l and --compare rsync cannot be given together"),
        (["-o=-c", "--compare", "none"], "-o implies --compare rsync, not none"),
        (
            ["--compare", "none", "--checksum"],
            "--checksum is about comparing; --compare none compares nothing here",
        ),
        (["-l", "a", "--size-only"], "--size-only is about comparing; -l compares nothing here"),
        (["-l", "a", "--exclude", "b"], "cannot be given with -l"),
        (["--compare", "rsync", "--max-size", "9"], "cannot be given with --compare rsync; give it to rsync with -o"),
        (["--compare", "rsync", "--chmod", "a+r"], "--chmod and --chown cannot be given with --compare rsync"),
    ],
)
def test_contradictions_are_refused(tmp_path: Path, arguments: list[str], sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(tmp_path, *arguments)
    assert sentence in str(caught.value)


def test_patterns_delete_nothing(tmp_path: Path) -> None:
    policy, selection = parse(tmp_path, "-l", "*.c,with blank", "--delete")
    assert selection.patterns == (b"*.c", b"with blank")
    assert not policy.deletes


def test_patterns_come_from_a_file_that_only_this_directory_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (tmp_path / "list").write_text("# a comment\n*.c\r\n\nwith blank\n")
    monkeypatch.chdir(tmp_path)
    assert parse(source, "-l", "list")[1].patterns == (b"*.c", b"with blank")
    assert parse(source, "-l", "./list")[1].patterns == (b"*.c", b"with blank")
    (source / "list").touch()
    assert parse(source, "-l", "list")[1].patterns == (b"list",)


def test_a_missing_file_of_patterns_is_named(tmp_path: Path) -> None:
    with pytest.raises(SelectionError, match=r"cannot read the patterns in /nowhere \(-l\): No such file"):
        parse(tmp_path, "-l", "/nowhere")


def test_without_a_comparison_all_contents_are_sent(tmp_path: Path) -> None:
    assert parse(tmp_path, "--compare", "none")[0].ignore_times


def test_targets_follow_the_rule_of_rsync(tmp_path: Path) -> None:
    policy, selection = parse(tmp_path, "-o=--size-only")
    assert policy.size_only
    assert "--size-only" in (selection.rsync_options or ())
