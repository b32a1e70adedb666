from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from mrsync.cli.registry.option import MRSYNC, VERIFY
from mrsync.cli.registry.options import PROGRAMS, options_of
from mrsync.cli.registry.parser import make_parser
from mrsync.errors import UsageError
from tests.programs import program


def shown(*arguments: str) -> str:
    return subprocess.run(program(*arguments), capture_output=True, text=True, check=True).stdout


def test_short_help_has_examples_and_the_common_options() -> None:
    text = shown("mrsync", "--help")
    assert text.count("mrsync -m '") + text.count("mrsync -aH") + text.count("mrsync doctor -m") == 3
    assert "--targets" in text
    assert "--sudo" in text
    assert "--modify-window" not in text
    assert "--help all" in text
    assert len(text.splitlines()) < 65


def test_all_help_has_every_option_and_the_exit_statuses() -> None:
    text = shown("mrsync", "--help", "all")
    assert [option.flags for option in options_of(MRSYNC) if option.names(MRSYNC)[-1] not in text] == []
    assert "a file or a target is not up to date" in text
    assert (Path(text.rpartition("Documents: ")[2].strip()) / "cli.md").is_file()
    assert "25" not in make_parser(VERIFY).format_help().partition("exit status:")[2]  # it deletes nothing


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_program_has_help(name: str) -> None:
    assert shown(*(["mrsync", "filelist"] if name == "trFilelist" else name.split()), "--help").startswith("usage: ")


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("--dryrun", "--dry-run"),
        ("--exlude=x", "--exclude"),
        ("--itemise-changes", "--itemize-changes"),
        ("--json", "--progress json"),
    ],
)
def test_the_option_that_was_meant_is_named(wrong: str, meant: str) -> None:
    with pytest.raises(UsageError, match=f"there is no option {wrong.partition('=')[0]}; did you mean {meant}"):
        make_parser(MRSYNC).parse_args([wrong])


def test_unknown_words_get_no_hint() -> None:
    with pytest.raises(UsageError, match="there is no option --qqq \\("):
        make_parser(MRSYNC).parse_args(["--qqq"])


def test_the_version_names_optional_packages() -> None:
    text = shown("mrsync", "--version")
    for ability in ("GSO", "GRO", "AES-256-GCM", "Landlock"):
        assert any(ability in line and line.split()[0] in ("yes", "no") for line in text.splitlines())
    assert len(shown("rtt", "--version").splitlines()) == 1
