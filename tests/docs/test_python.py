"""The Python examples of docs: run as they stand there, and type-checked as strictly as the code itself."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.blocks import PROJECT, Block, marked_blocks
from tests.support.waiting import HANG_S

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(PROJECT / "src"), "MYPYPATH": str(PROJECT / "src")}


def run(*command: str | Path, folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=HANG_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("block", marked_blocks("python"), ids=lambda block: block.name)
def test_examples_run(block: Block, tmp_path: Path) -> None:
    run("-c", block.text, folder=tmp_path)


def test_examples_have_the_right_types(tmp_path: Path) -> None:
    for number, block in enumerate(marked_blocks("python")):
        (tmp_path / f"example{number}.py").write_text(block.text)
    run(
        "-m",
        "mypy",
        "--strict",
        "--config-file=",
        "--cache-dir",
        tmp_path / "cache",
        *tmp_path.glob("*.py"),
        folder=tmp_path,
    )


def test_a_wrong_type_is_found(tmp_path: Path) -> None:
    """The interface is typed: what it gives is not just anything."""
    (tmp_path / "example.py").write_text("import mrsync\nmrsync.sync('a', 'b').no_such_field\n")
    with pytest.raises(AssertionError, match="no_such_field"):
        run(
            "-m", "mypy", "--strict", "--config-file=", "--cache-dir", tmp_path / "cache", "example.py", folder=tmp_path
        )
