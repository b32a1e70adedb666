from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mrsync.c_library import c_library, last_failure


def test_functions_are_found_and_their_failures_told() -> None:
    library = c_library("syncfs")
    assert library is not None
    assert library.syncfs(-1) == -1
    assert last_failure().errno == errno.EBADF
    assert last_failure().strerror == os.strerror(errno.EBADF)


def test_one_missing_function_is_enough() -> None:
    assert c_library("syncfs", "no_such_function") is None


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("raise ImportError", id="no ctypes"),
        pytest.param("raise MemoryError", id="no memory that can be executed"),
        pytest.param("def CDLL(*_, **__): raise OSError", id="no shared C library"),
        pytest.param("def CDLL(*_, **__): return object()", id="no functions"),
    ],
)
def test_nothing_needs_it(tmp_path: Path, text: str) -> None:
    """Everything that uses it goes on without, in a process that has never loaded it."""
    (tmp_path / "ctypes.py").write_text(text)
    script = f"""
import os, socket, sys
sys.path.insert(0, {str(tmp_path)!r})
from mrsync.cli.registry.abilities import ability_lines
from mrsync.run.sandbox import Sandbox
from mrsync.transport.network.batches import BatchReceiver
from mrsync.tree.fs import extents, flushing, mounts
from mrsync.tree.model.status_table import read_statuses
sandbox = Sandbox()
sandbox.enter()
sandbox.confine([], makes_devices=False, sets_xattrs=False)
fd = os.open({str(tmp_path / "file")!r}, os.O_RDWR | os.O_CREAT)
os.write(fd, bytes([1]) * 65536)
extents.clear(fd, 0, 65536)
flushing.flush_file_system(fd)
print(sandbox.missing(), extents.can_have_holes(fd), os.pread(fd, 65536, 0) == bytes(65536))
print(mounts._statx_mount_id(fd) == os.fstat(fd).st_dev, read_statuses(fd, []))
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
    print(BatchReceiver.of(opened, bytearray(1000), 1000, 8))
print("  no  Landlock" in list(ability_lines()))
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines() == [
        "['all of it, as Python cannot call the C library'] False True",
        "True None",
        "None",
        "True",
    ]
