"""Filter options: their order, the files they name, and one sentence for each that is bad."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mrsync.cli.settings.options import parse_mrsync
from mrsync.errors import FileError, RuleError, UsageError
from mrsync.tree.model.policy import Policy
from mrsync.tree.source.selection import Selection


def parse(*arguments: str) -> tuple[Policy, Selection]:
    settings = parse_mrsync(["-m", "a", "-s", "/", *arguments])[0]
    return settings.policy, settings.selection


def texts(*arguments: str) -> list[bytes]:
    return [rule.text for rule in parse(*arguments)[1].rules]


def test_order_is_kept() -> None:
    assert texts("--exclude=a", "--include", "b", "--filter", "P c", "--exclude=d") == [
        b"- a", b"+ b", b"-r c", b"- d",
    ]  # fmt: skip


def test_values_may_begin_with_a_hyphen() -> None:
    assert texts("--filter", "-_a", "--exclude", "-b", "--include", "--exclude") == [b"- a", b"- -b", b"+ --exclude"]


def test_files_are_read_in_their_place(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("# these\na\n+ b\n\n")
    (tmp_path / "0").write_bytes(b"c\nd\0e\0")
    assert texts("--exclude=1", f"--exclude-from={tmp_path}/x", "-0", f"--include-from={tmp_path}/0") == [
        b"- 1", b"- a", b"+ b", b"+ c\nd", b"+ e",
    ]  # fmt: skip


def test_shorthands_of_rsync_stand_for_rules() -> None:
    assert texts("-F") == [b": /.rsync-filter"]
    assert texts("-FF") == texts("-F", "-F", "-F") == [b": /.rsync-filter", b"- .rsync-filter"]
    found = texts("-C", "--exclude=mine")
    assert found[:2] == [b"- mine", b":C .cvsignore"]
    assert b"-p *.o" in found


def test_the_policy_has_the_rules_for_targets() -> None:
    policy, selection = parse("--filter=H a", "--filter=P b", "--exclude=c", "--filter=:s .d")
    assert policy.rules == ("-r b", "- c", ":s .d")
    assert len(selection.rules) == 4
    assert parse("--exclude=a", "--delete-excluded")[0].rules == ()
    assert parse("--exclude=a", "--no-delete")[0].rules == ()
    assert parse("--exclude=a", "--no-delete", "--force")[0].rules == ("- a",), "they protect what is in the way"
    assert parse("--exclude=\udcff")[0].rules == ("- \udcff",)


def test_without_options_policy_and_selection_are_the_defaults() -> None:
    assert parse() == (Policy(guards_deletions=True), Selection())


@pytest.mark.parametrize(
    ("arguments", "error", "sentence"),
    [
        (["--filter=nonsense"], RuleError, "--filter: unknown filter rule 'nonsense'"),
        (["--filter=-z a"], RuleError, "--filter: the modifier 'z' cannot be in '-z a'"),
        (["--filter=. FILE"], RuleError, "FILE, line 2: unknown filter rule 'oops'"),
        (["--exclude-from=/nowhere"], FileError, "cannot read the rules in /nowhere: No such file or directory"),
        (["--delete-excluded", "--no-delete"], UsageError, "--delete-excluded and --no-delete contradict each other"),
    ],
)
def test_bad_rules_are_refused_with_their_place(
    tmp_path: Path, arguments: list[str], error: type[Exception], sentence: str
) -> None:
    path = str(tmp_path / "rules")
    (tmp_path / "rules").write_text("- fine\noops\n")
    with pytest.raises(error) as raised:
        parse(*[argument.replace("FILE", path) for argument in arguments])
    assert str(raised.value) == sentence.replace("FILE", path)


def test_mrsync_puts_rules_into_selection_and_policy(tmp_path: Path) -> None:
    settings = parse_mrsync(["-m", "a", "-s", os.fspath(tmp_path), "--filter", "-_*.o", "-F"])[0]
    assert [rule.text for rule in settings.selection.rules] == [b"- *.o", b": /.rsync-filter"]
    assert settings.policy.rules == ("- *.o", ": /.rsync-filter")
