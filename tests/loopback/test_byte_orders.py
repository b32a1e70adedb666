"""Machines of both byte orders in one session: each ends with exactly the source."""

from __future__ import annotations

import os
import random
import subprocess
from pathlib import Path

import pytest

from tests.loopback.bigendian import find_big_endian_python
from tests.programs import program
from tests.trees import build_awkward_tree, differences, remove_tree

SESSION_WAIT_S = 300  # emulated, a start takes 10 s of processor, and other tests run beside it


@pytest.fixture
def rsh(tmp_path: Path) -> Path:
    """A remote shell: of its hosts `big` has a big-endian Python."""
    found = find_big_endian_python()
    if found is None:
        pytest.skip("no big-endian Python can be had here (root, Debian packages for s390x, qemu-user-static)")
    shell = tmp_path / "rsh"
    shell.write_text(f'#!/bin/sh\nhost=$1; shift\n[ $host = big ] && PATH={found}:$PATH\nexec sh -c "$*"\n')
    shell.chmod(0o755)
    return shell


@pytest.mark.timeout(900)
def test_both_byte_orders_end_equal(rsh: Path, tmp_path: Path) -> None:
    """Each has an older version of a part, and nothing of the rest; with delta and hard links."""
    source, port = tmp_path / "source", random.randrange(20000, 32000, 2)
    (tmp_path / "to").mkdir()
    _build(source)
    _change(source)
    for target in ("big", "little"):
        _build(copy := tmp_path / "to" / target)
        for lacked in sorted(set(os.listdir(copy)) - {"large"})[::2]:
            remove_tree(copy / lacked) if (copy / lacked).is_dir() else (copy / lacked).unlink()
    command = program(
        "mrsync", "-r", rsh, "-m", "big,little", "-I", "lo", "-L", "-P", port, "-s", source,
        "-t", f"{tmp_path}/to/{{host}}", "--delta", "-D", "-v", 1,
    )  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SESSION_WAIT_S)
    assert done.returncode == 0, done.stderr
    assert "big: this host lacks " in done.stderr
    for target in ("big", "little"):
        assert differences(source, tmp_path / "to" / target) == []
    remove_tree(source)
    remove_tree(tmp_path / "to")


def _build(path: Path) -> None:
    build_awkward_tree(path, seed=5)
    (path / "large").write_bytes(random.Random(1).randbytes(1 << 20))


def _change(source: Path) -> None:
    with (source / "large").open("r+b") as file:
        file.seek(300_000)
        file.write(b"changed in the middle")
    (source / "new").write_text("new")
    (source / "link to new").hardlink_to(source / "new")
