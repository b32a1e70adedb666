"""A test fails for each protection that is removed.

CI looks whether the pieces are there. MRSYNC_REMOVE=1 removes them, one at a time, which takes some minutes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.protections.removals import REMOVALS, Removal

PROJECT = Path(__file__).parents[2]
WAIT_S = 300


@pytest.mark.parametrize("removal", REMOVALS, ids=lambda removal: removal.what)
def test_a_protection_that_is_removed_is_missed(removal: Removal, tmp_path: Path) -> None:
    source = PROJECT / "src" / "mrsync" / removal.file
    assert source.read_text().count(removal.piece) == 1, "the piece that protects is not there"
    assert (PROJECT / "tests" / removal.test.partition("::")[0]).exists()
    if not os.environ.get("MRSYNC_REMOVE"):
        return
    for folder in ("src", "tests"):
        shutil.copytree(PROJECT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PROJECT / "pyproject.toml", tmp_path)
    changed = tmp_path / "src" / "mrsync" / removal.file
    changed.write_text(changed.read_text().replace(removal.piece, removal.instead))
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--timeout=60"]
    done = subprocess.run(
        [*command, tmp_path / "tests" / removal.test],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": f"{tmp_path}:{tmp_path / 'src'}"},
        capture_output=True, text=True, timeout=WAIT_S, check=False,
    )  # fmt: skip
    assert done.returncode == 1, f"nothing fails: {done.stdout[-2000:]}"
