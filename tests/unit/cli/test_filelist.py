"""trFilelist as a program."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from mrsync.cli.filelist import filelist
from mrsync.errors import SelectionError
from tests.programs import program

SAID = b"sending incremental file list\nnew\nl -> there\ndeleting old\n\nsent 1 bytes  received 2 bytes\n"
LIST = b"# mrsync synclist 1\nfile new\nsymlink l\tthere\ndeleting old\n"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    source = tmp_path / "source"
    source.mkdir()
    (source / "new").touch()
    (source / "l").symlink_to("there")
    (tmp_path / "said").write_bytes(SAID)
    return source


@pytest.mark.parametrize("name", [["mrsync", "filelist"], ["tr_filelist"]])
def test_a_list_is_written_to_stdout(source: Path, name: list[str]) -> None:
    done = subprocess.run(program(*name, source.parent / "said", source), capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (LIST, b"")
    done = subprocess.run(program(*name, "-", source), capture_output=True, check=True, input=SAID)
    assert done.stdout == LIST


def test_ambiguous_lines_are_reported_and_the_rest_is_written(source: Path) -> None:
    said = source.parent / "said"
    said.write_bytes(SAID + b"gone\n")
    done = subprocess.run(program("tr_filelist", said, source), capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (3, LIST)
    assert done.stderr == b"trFilelist: line 7, 'gone': the source has no such entry\n"


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (["no-such-file", "."], 3, "cannot read rsync's output, no-such-file: No such file or directory"),
        (["-", "no-such-directory"], 3, "no-such-directory: No such file or directory"),
        (["-"], 1, "SOURCE is missing"),
        (["--itemised", "-", "."], 1, "--itemised"),
    ],
)
def test_bad_input_is_one_sentence(arguments: list[str], status: int, sentence: str) -> None:
    done = subprocess.run(program("tr_filelist", *arguments), capture_output=True, check=False, input=b"", text=False)
    assert done.returncode == status
    assert sentence in done.stderr.decode()
    assert done.stderr.count(b"\n") == 1


def test_output_without_end_is_refused(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mrsync.cli.filelist.LINES_HELD_MAX", 3)
    with pytest.raises(SelectionError, match="it has more than 3 lines"):
        filelist("trFilelist", [str(source.parent / "said"), str(source)])
