"""What the words of rsync's --info stand for."""

from __future__ import annotations

from pathlib import Path

import pytest

from mrsync.cli.settings.options import parse_mrsync
from mrsync.errors import UsageError


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "src").mkdir()


@pytest.mark.parametrize(
    ("words", "progress", "has_stats", "line_format"),
    [
        ("", "auto", False, None),
        ("--info=progress2,stats2", "auto", True, None),
        ("--info=progress0 --info=name", "none", False, "%n%L"),
        ("--info=PROGRESS2,del", "auto", False, ""),
        ("--info=all2,flist0", "auto", True, "%n%L"),
        ("--info=all,none", "none", False, None),
        ("--info=name -i", "auto", False, None),
        ("--info=name --out-format=%i", "auto", False, "%i"),
        ("--info=misc2,nonreg0,skip", "auto", False, None),
    ],
)
def test_info_stands_for_options(words: str, progress: str, has_stats: bool, line_format: str | None) -> None:
    settings, output = parse_mrsync([*words.split(), "src/", "a:/x"])
    assert (output.progress, output.has_stats, output.line_format) == (progress, has_stats, line_format)
    assert settings.policy.itemizes is (line_format is not None or "-i" in words.split())


@pytest.mark.parametrize("flags", ["foo", "name-1", "2", "stats,,foo", "name" + 5000 * "9"])
def test_unknown_words_are_refused(flags: str) -> None:
    with pytest.raises(UsageError, match="is unknown; --info=help"):
        parse_mrsync([f"--info={flags}", "src/", "a:/x"])


@pytest.mark.parametrize(("option", "flag"), [("--info=help", "PROGRESS"), ("--debug=HELP", "FILTER")])
def test_help_lists_all(option: str, flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        parse_mrsync([option, "src/", "a:/x"])
    assert (left.value.code, flag in capsys.readouterr().out) == (0, True)
