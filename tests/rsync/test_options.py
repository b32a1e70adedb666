"""Options of rsync, each with a tree made for it: rsync and mrsync leave equal trees and equal itemized lines."""

from __future__ import annotations

import random
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.rsync.lines import differing

pytestmark = pytest.mark.skipif(shutil.which("rsync") is None, reason="needs rsync")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A source `s`, and the destinations rsync/dest and mrsync/dest."""
    for name in ("s/a/sub", "s/l/deep", "rsync/dest/real", "rsync/dest/a", "rsync/outside"):
        (tmp_path / name).mkdir(parents=True)
    for number, name in enumerate(("s/a/f", "s/l/g", "s/l/deep/h", "s/a/sub/i", "rsync/dest/a/f")):
        (tmp_path / name).write_text(str(number))
    return tmp_path


def check(folder: Path, line: str) -> None:
    """Run a line without DEST with both programs, on copies of rsync/dest."""
    subprocess.run(["cp", "-a", "rsync", "mrsync"], cwd=folder, check=True)
    found = differing(line.split(), "dest/", folder, random.randrange(20000, 32000, 2))
    assert not found, found


KEPT = {  # by case, names in rsync/dest and what they lead to
    "a link to a directory beside it": {"l": "real"},
    "a link to a link": {"m": "real", "l": "m"},
    "a link upwards": {"a/sub": "../real"},
    "a link to DEST": {"l": "."},
    "a link out of DEST": {"l": "../outside"},
    "an absolute link": {"l": "/usr"},
    "a link out and back": {"l": "../dest/real"},
    "a link to a file": {"l": "a/f"},
    "a link to nothing": {"l": "nothing"},
}


@pytest.mark.parametrize("case", KEPT)
def test_links_to_directories_are_kept(folder: Path, case: str) -> None:
    for name, goal in KEPT[case].items():
        (folder / "rsync/dest" / name).symlink_to(goal)
    is_beneath = "out" not in case and "absolute" not in case
    check(folder, "-aiK s/" if is_beneath else "-aK s/")  # rsync also itemizes directories that it fails to make


MISSING = (
    "s/a s/x",
    "s/full s/a",
    "--delete s/full s/a",
    "s/a s/empty",
    "-R s/a s/a/z s/a/nope",
    "s/x",
    "s/ s/x s/full",
    "s/a s/x --max-delete=0",
    "s/a s/x s/empty -n",
    "s/a s/x --exclude=x",
    "s/a s/x -b",
    "-R s/nope/x s/a",
    "--files-from=list s",
    "-r --delete --files-from=list s",
    "s/x s/a --existing",
    "--ignore-missing-args --files-from=list s",
)


@pytest.mark.parametrize("line", MISSING)
def test_what_is_missing_is_deleted(folder: Path, line: str) -> None:
    for top in ("rsync/dest", "rsync/dest/s/a", "rsync/dest/a"):
        for name in ("full", "empty"):
            (folder / top / name).mkdir(parents=True)
        for name in ("x", "z", "full/y"):
            (folder / top / name).write_text(name)
    (folder / "list").write_text("a/f\nx\na/z\na/nope\nfull\nqq/zz\na/empty\n")
    check(folder, f"-ai --delete-missing-args {line}" if "--ignore" not in line else f"-ai {line}")
