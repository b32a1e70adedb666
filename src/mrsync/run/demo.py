"""mrsync demo: sync a generated tree to three targets on this machine, and verify the result by comparison."""

from __future__ import annotations

import filecmp
import os
import random
import shutil
import stat
import tempfile
from collections.abc import Callable, Sequence

from mrsync.errors import FileError

TARGETS = ("apple", "birch", "cedar")
LARGE_BYTES = 128 << 20
SMALL_FILES = 3000
SMALL_BYTES_MAX = 40_000
ROOM_BYTES = 4 * 400 << 20  # for the source and three copies

Sync = Callable[[Sequence[str]], int]


def demo(sync: Sync) -> int:
    """Sync a generated tree to three local targets, change it, sync again, and verify; return the exit status.

    sync: runs mrsync with the given arguments and returns its exit status. Raise FileError if there is too little
    space.
    """
    directory = tempfile.mkdtemp(prefix="mrsync-demo-")
    try:
        if shutil.disk_usage(directory).free < ROOM_BYTES:
            raise FileError(f"the demo needs {ROOM_BYTES >> 20} MB in {directory}; set TMPDIR to another place")
        return _show(sync, os.path.join(directory, "source"), os.path.join(directory, "targets"))
    finally:
        shutil.rmtree(directory, onerror=_make_removable)


def _show(sync: Sync, source: str, targets: str) -> int:
    _say(f"1. Making a tree in {source}")
    _make_tree(source)
    os.mkdir(targets)
    dest = os.path.join(targets, "{host}")
    arguments = ["-r", "local", "-m", ",".join(TARGETS), "-s", source, "-t", dest]
    _say(f"\n2. mrsync {' '.join(arguments)}")
    status = sync([*arguments, "--stats"])
    _say("\n3. Some files change, one goes, one target loses a directory; the same command again, without --stats")
    _change_tree(source, os.path.join(targets, TARGETS[1]))
    status = sync(arguments) or status
    _say("\n4. Once more: nothing differs, no contents are sent")
    status = sync(arguments) or status
    _say("\n5. Comparing every target with the source, byte by byte")
    for host in TARGETS:
        found = _differences(source, os.path.join(targets, host))
        _say(f"   {host}: {'equal' if not found else '; '.join(found[:5])}")
        status = status or bool(found)
    return status


def _say(text: str) -> None:
    print(text, flush=True)


def _make_tree(root: str) -> None:
    """Make a tree of some hundred MB: a large file, many small ones, links, a sparse file, and unusual names."""
    chance = random.Random(2008)
    os.makedirs(os.path.join(root, "large"))
    with open(os.path.join(root, "large", "image"), "wb") as file:
        for _ in range(LARGE_BYTES >> 20):
            file.write(chance.randbytes(1 << 20))
    for number in range(SMALL_FILES):
        directory = os.path.join(root, "small", f"{number % 100:02}")
        os.makedirs(directory, exist_ok=True)
        with open(os.path.join(directory, f"{number}.dat"), "wb") as file:
            file.write(chance.randbytes(chance.randrange(SMALL_BYTES_MAX)))
    awkward = os.fsencode(os.path.join(root, "awkward"))
    os.makedirs(os.path.join(awkward, b"empty directory"))
    for name in (b"new\nline", b"not utf-8 \xff\xfe", b"deleting me", b"a -> b", b"-rf", "käse ☃".encode()):
        with open(os.path.join(awkward, name), "wb") as file:
            file.write(name)
    with open(os.path.join(awkward, b"sparse"), "wb") as file:
        file.truncate(5 << 30)
        file.seek(1 << 30)
        file.write(b"data in the middle")
    os.link(os.path.join(awkward, b"-rf"), os.path.join(awkward, b"hard link"))
    os.symlink(b"nowhere", os.path.join(awkward, b"dangling"))
    os.symlink(b"../small", os.path.join(awkward, b"link to a directory"))
    os.chmod(os.path.join(awkward, b"deleting me"), 0o4751)


def _change_tree(source: str, target: str) -> None:
    for number in range(0, SMALL_FILES, 300):
        with open(os.path.join(source, "small", f"{number % 100:02}", f"{number}.dat"), "ab") as file:
            file.write(b"one line more\n")
    os.unlink(os.path.join(source, "small", "07", "7.dat"))
    shutil.rmtree(os.path.join(target, "small", "42"))


def _differences(source: str, target: str) -> list[str]:
    """Return what differs in names, types, modes, times, links or contents, as sentences."""
    found = []
    for directory, names, files in os.walk(source):
        there = os.path.join(target, os.path.relpath(directory, source))
        if sorted(os.listdir(there)) != sorted(names + files):
            found.append(f"other names in {there!r}")
            continue
        for name in names + files:
            found += _entry_differences(os.path.join(directory, name), os.path.join(there, name))
    return found


def _entry_differences(one: str, other: str) -> list[str]:
    here, there = os.lstat(one), os.lstat(other)
    if (here.st_mode, here.st_mtime_ns, here.st_uid, here.st_gid) != (
        there.st_mode,
        there.st_mtime_ns,
        there.st_uid,
        there.st_gid,
    ):
        return [f"{other!r} has another type, mode, owner or time"]
    if stat.S_ISLNK(here.st_mode):
        return [] if os.readlink(one) == os.readlink(other) else [f"{other!r} points elsewhere"]
    if not stat.S_ISREG(here.st_mode) or here.st_blocks * 512 < here.st_size:
        is_equal = here.st_size == there.st_size or stat.S_ISDIR(here.st_mode)
        return [] if is_equal else [f"{other!r} has another size"]
    return [] if filecmp.cmp(one, other, shallow=False) else [f"{other!r} has other contents"]


def _make_removable(function: Callable[[str], object], path: str, _: object) -> None:
    """Make a directory writable and try the failed removal again."""
    os.chmod(os.path.dirname(path), 0o700)
    function(path)
