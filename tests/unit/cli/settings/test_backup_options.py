"""Backup options: what becomes of them, and one sentence for each mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from mrsync.cli.settings.backup_options import check_local_backups
from mrsync.cli.settings.options import parse_mrsync
from mrsync.errors import FileError, UsageError
from mrsync.tree.model.policy import Policy


def policy(source: Path, *arguments: str) -> Policy:
    return parse_mrsync(["-m", "a", "-s", str(source), "-t", "/to", *arguments])[0].policy


def test_patterns_are_read_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "patterns").write_text("\\.conf$\n\nkeep/.*\n")
    found = policy(
        tmp_path, f"--backup-patterns={tmp_path}/patterns", "--suffix=.old", f"--backup-base={tmp_path.parent}"
    )
    assert (found.backup, found.suffix, found.backup_patterns) == (True, ".old", ("\\.conf$", "keep/.*"))
    assert found.backup_base == f"{tmp_path.name}/"


@pytest.mark.parametrize(
    ("arguments", "error", "sentence"),
    [
        (["--suffix=.old"], UsageError, "give --backup as well"),
        (["--backup", "--suffix=a/b"], UsageError, "give one without a slash"),
        (["--backup", "--suffix="], UsageError, "give one without a slash"),
        (["--backup-dir=."], UsageError, "is DEST itself"),
        (["--backup", "--backup-base=/usr"], UsageError, "SOURCE is not below it"),
        (["--backup-patterns=/nowhere"], FileError, "cannot read the backup patterns /nowhere: No such file"),
        (["--backup-patterns=EMPTY"], UsageError, "contains no pattern"),
        (["--backup-patterns=BAD"], UsageError, "line 2: a parenthesis is not closed"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, arguments: list[str], error: type[Exception], sentence: str) -> None:
    (tmp_path / "EMPTY").write_text("\n")
    (tmp_path / "BAD").write_text("fine\n(\n")
    words = [word.replace("=EMPTY", f"={tmp_path}/EMPTY").replace("=BAD", f"={tmp_path}/BAD") for word in arguments]
    with pytest.raises(error, match=sentence):
        policy(tmp_path, *words)


def test_backups_of_local_targets_must_not_mix() -> None:
    dests = {"a": b"/a", "b": b"/b"}
    check_local_backups(Policy(backup_dir="old"), dests)
    check_local_backups(Policy(backup_dir="/old/{host}"), dests)
    with pytest.raises(UsageError, match=r"need \{host\} in --backup-dir"):
        check_local_backups(Policy(backup_dir="/old"), dests)
