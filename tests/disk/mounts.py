"""File systems of many kinds on this host, each in an image or a view of its own, for as long as a test takes."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.waiting import HANG_S

IMAGE_BYTES = 64 << 20
BTRFS_BYTES = 120 << 20


@contextmanager
def ext4(folder: Path, *options: str) -> Iterator[Path]:
    """options: of mkfs.ext4."""
    _need("mkfs.ext4")
    image = _image(folder, IMAGE_BYTES)
    _run("mkfs.ext4", "-q", *options, str(image))
    with _mounted(folder, "mount", "-o", "loop", str(image)) as place:
        shutil.rmtree(place / "lost+found")
        yield place


@contextmanager
def btrfs(folder: Path) -> Iterator[Path]:
    _need("mkfs.btrfs")
    image = _image(folder, BTRFS_BYTES)
    _run("mkfs.btrfs", "-q", str(image))
    with _mounted(folder, "mount", "-o", "loop", str(image)) as place:
        yield place


@contextmanager
def ntfs(folder: Path, *, folds_case: bool = False) -> Iterator[Path]:
    """Times in steps of 100 ns; owners and modes only where it does not fold case."""
    _need("lowntfs-3g", "mkfs.ntfs", fuse=True)
    image = _image(folder, IMAGE_BYTES)
    _run("mkfs.ntfs", "-q", "-F", str(image))
    program = ["lowntfs-3g", "-o", "ignore_case"] if folds_case else ["ntfs-3g", "-o", "permissions"]
    with _mounted(folder, *program, str(image)) as place:
        yield place


@contextmanager
def fat(folder: Path) -> Iterator[Path]:
    """Folds case, knows no owners, modes and links, and times in steps of two seconds."""
    _need("fusefat", "mkfs.vfat", fuse=True)
    image = _image(folder, IMAGE_BYTES)
    _run("mkfs.vfat", str(image))
    with _mounted(folder, "fusefat", "-o", "rw+", str(image)) as place:
        yield place


@contextmanager
def refusing(folder: Path, *options: str) -> Iterator[Path]:
    """A directory of this host seen through bindfs, with its options: --chown-deny, --chmod-deny, --chown-ignore..."""
    _need("bindfs", fuse=True)
    (folder / "behind").mkdir(parents=True)
    with _mounted(folder, "bindfs", *options, str(folder / "behind")) as place:
        yield place


def _need(*programs: str, fuse: bool = False) -> None:
    if os.geteuid():
        pytest.skip("needs root to mount a file system")
    for program in programs:
        if shutil.which(program) is None:
            pytest.skip(f"needs {program}")
    if fuse and not os.path.exists("/dev/fuse"):
        pytest.skip("needs /dev/fuse")


def _image(folder: Path, size: int) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    image = folder / "image"
    image.touch()
    os.truncate(image, size)
    return image


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


@contextmanager
def _mounted(folder: Path, *command: str) -> Iterator[Path]:
    place = folder / "mounted"
    place.mkdir()
    done = subprocess.run([*command, str(place)], capture_output=True, text=True)
    if done.returncode or not os.path.ismount(place):
        pytest.skip(f"{command[0]} cannot mount here: {done.stderr.strip()[-200:]}")
    try:
        yield place
    finally:
        _unmount(place)


def _unmount(place: Path) -> None:
    """Unmount, once the kernel has let go of the last closed file, which takes it a moment on a busy machine."""
    deadline = time.monotonic() + HANG_S
    while (done := subprocess.run(["umount", str(place)], capture_output=True, text=True)).returncode:
        assert "busy" in done.stderr, done.stderr
        assert time.monotonic() < deadline, done.stderr
        time.sleep(0.05)
