"""mrsync config --show: what holds, and why."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from mrsync.cli.registry.option import MRSYNC
from mrsync.cli.registry.parser import make_parser
from mrsync.cli.settings.configuration import names_of_settings
from mrsync.cli.show_settings import show_settings
from mrsync.errors import UsageError


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder of settings, which is read; it has one file."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "mrsync").mkdir()
    file = tmp_path / "mrsync" / "config.toml"
    file.write_text('rate = "80M"\nexclude = ["*.o"]\nchecksum = true\n')
    file.chmod(0o644)
    return file


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, tuple[str, str]]:
    """Setting -> (value, where from)."""
    assert show_settings(["--show", *arguments]) == 0
    lines = capsys.readouterr().out.splitlines()
    return {line.split(" = ")[0]: tuple(line.split(" = ", 1)[1].rsplit("  # ", 1)) for line in lines}  # type: ignore[misc]


def test_every_setting_is_shown_with_its_origin(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = shown(capsys, "--ack-wait", "5")
    assert set(found) == names_of_settings(make_parser(MRSYNC))
    assert found["checksum"][1] == found["exclude"][1] == found["rate"][1] == str(home)
    assert found["checksum"][0].strip() == "true"
    assert found["ack-wait"] == (found["ack-wait"][0], "command line")
    assert found["ack-wait"][0].strip() in ("5", "5.0")
    assert found["delta"][1] == "default"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("", {"exclude": '["*.o"] file', "include": "[] default", "rate": "83886080 file", "bwlimit": '"" default'}),
        ("--bwlimit 1m", {"rate": '"" default', "bwlimit": "1048576 command line"}),
        ("--bwlimit 1m --rate 2M", {"rate": "2097152 command line", "bwlimit": '"" default'}),
        ("--exclude a", {"exclude": '["*.o", "a"] command line'}),
        (
            "--no-encrypt -0 -F",
            {"encrypt": "false default", "no-encrypt": "true command line", "from0": "true command line"},
        ),
        ("-w 60 --no-delete", {"ack-wait": "60.0 command line", "delete": "false command line"}),
    ],
)
def test_a_value_is_shown_where_it_was_given(
    home: Path, capsys: pytest.CaptureFixture[str], words: str, expected: dict[str, str]
) -> None:
    found = shown(capsys, *words.split())
    told = {key: f"{found[key][0].strip()} {found[key][1].replace(str(home), 'file')}" for key in expected}
    assert told == expected


def test_the_command_line_counts_more_than_a_file(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, "--rate", "1M")["rate"][1] == "command line"


def test_shown_settings_are_toml(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert show_settings(["--show"]) == 0
    assert tomllib.loads(capsys.readouterr().out)["checksum"] is True


def test_without_show_it_prints_its_usage() -> None:
    with pytest.raises(UsageError, match="mrsync config --show"):
        show_settings([])


def test_a_wrong_file_is_one_sentence(home: Path) -> None:
    home.write_text("chekcsum = true\n")
    with pytest.raises(UsageError, match="there is no setting 'chekcsum'"):
        show_settings(["--show"])
