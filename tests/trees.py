"""Trees that hold every kind of entry, and a comparison of two trees that shares no code with mrsync."""

from __future__ import annotations

import errno
import os
import random
import stat
from collections import defaultdict
from collections.abc import Iterator
from typing import Union

Path = Union[str, bytes, "os.PathLike[str]"]

YEAR_1931_NS = -1_230_768_000_123_456_789
YEAR_2100_NS = 4_102_444_800_000_000_001
YEAR_9999_NS = 253_370_764_800_000_000_007
MODES = (0o644, 0o600, 0o400, 0o755, 0o4755, 0o2755, 0o1644, 0o6711, 0o000, 0o777)
AWKWARD_NAMES = (
    b"plain",
    b"with space",
    b"new\nline",
    b"tab\tand\rreturn",
    b"\xff\xfenot utf-8\x80",
    "\N{SNOWMAN} snow".encode(),
    b"-rf",
    b"*?[a]",
    b"'\"$(x)`\\",
    b"..almost",
    b".hidden",
    b" ",
    b"\x7f\x01",
    b"n" * 255,
)
DEEP_NAME = b"deep" * 60
DEEP_LEVELS = 20  # 20 names of 240 bytes: longer than PATH_MAX
HUGE_BYTES = 5 << 30
_BLOCK = 1 << 20


def build_awkward_tree(path: Path, seed: int, file_count: int = 50) -> None:
    """Make a directory with every kind of entry and file_count further random files; owners vary only for root."""
    root = os.fsencode(path)
    chance = random.Random(seed)
    os.mkdir(root)
    _build_names(root, chance)
    _build_links(root, chance)
    _build_sparse(root, chance)
    _build_deep(root)
    _build_random(root, chance, file_count)
    _build_times(root)
    _build_directories(root, chance)
    os.utime(root, ns=(0, 1_000_000_000_000_000_321))
    os.chmod(root, 0o750)


def remove_tree(path: Path) -> None:
    """Delete a tree that may be deeper than PATH_MAX or locked against its owner."""
    parent = os.open(os.path.dirname(os.path.abspath(os.fsencode(path))), os.O_RDONLY)
    try:
        _remove(os.path.basename(os.fsencode(path)), parent)
    finally:
        os.close(parent)


def differences(source: Path, dest: Path, *, with_owners: bool = True, with_attributes: bool = False) -> list[str]:
    """One sentence for everything in which dest is not an exact copy of source; [] if it is one.

    with_attributes: extended attributes are compared too, and with them ACLs.
    """
    groups: tuple[dict[tuple[int, int], list[bytes]], dict[tuple[int, int], list[bytes]]] = (
        defaultdict(list),
        defaultdict(list),
    )
    found = []
    fds = [os.open(tree, os.O_RDONLY | os.O_DIRECTORY) for tree in (source, dest)]
    try:
        found += _differing_attributes(b".", os.fstat(fds[0]), os.fstat(fds[1]), with_owners)
        found += _differing_directories(b"", fds[0], fds[1], groups, with_owners)
        if with_attributes:
            found += _differing_xattrs(os.fsencode(source), os.fsencode(dest))
    finally:
        for fd in fds:
            os.close(fd)
    linked = [{tuple(sorted(names)) for names in group.values() if len(names) > 1} for group in groups]
    found += [f"hard links only in the source: {names}" for names in sorted(linked[0] - linked[1])]
    found += [f"hard links only in the destination: {names}" for names in sorted(linked[1] - linked[0])]
    return found


def _write(path: bytes, data: bytes, mode: int, chance: random.Random) -> None:
    with open(path, "wb") as file:
        file.write(data)
    if os.geteuid() == 0:
        os.chown(path, chance.choice((0, 1, 1000, 65534, 4242)), chance.choice((0, 2, 1000, 65534, 4243)))
    # A file that its owner may not read can be neither cast nor compared but by root.
    os.chmod(path, mode if os.geteuid() == 0 else mode | 0o400)
    # Random nanoseconds: two trees must not look the same to a check of size and time.
    time = chance.choice((YEAR_1931_NS, YEAR_2100_NS, 0, 10**18)) + chance.randrange(10**12)
    os.utime(path, ns=(time, time))


def _build_names(root: bytes, chance: random.Random) -> None:
    top = os.path.join(root, b"names")
    os.mkdir(top)
    for i, name in enumerate(AWKWARD_NAMES):
        _write(os.path.join(top, name), name * 3, MODES[i % len(MODES)], chance)
    for name in AWKWARD_NAMES:
        directory = os.path.join(top, b"in", name)
        os.makedirs(directory)
        _write(os.path.join(directory, name), b"", 0o644, chance)


def _build_links(root: bytes, chance: random.Random) -> None:
    top = os.path.join(root, b"links")
    for name in (b"", b"a", b"z"):
        os.mkdir(os.path.join(top, name))
    _write(os.path.join(top, b"z", b"leader"), b"one file, four names", 0o4711, chance)
    for name in (b"a/member", b"member", b"z/member"):
        os.link(os.path.join(top, b"z", b"leader"), os.path.join(top, name))
    _write(os.path.join(top, b"empty"), b"", 0o640, chance)
    os.link(os.path.join(top, b"empty"), os.path.join(top, b"empty too"))
    _write(os.path.join(top, b"alone"), b"one file, one name", 0o644, chance)
    targets = {
        b"dangling": b"nowhere/at/all",
        b"absolute": b"/etc/hostname",
        b"directory": b"a",
        b"file": b"z/leader",
        b"self": b"self",
        b"up": b"../../..",
        b"odd": b"\xff\n\x01",
        b"long": b"x/" * 1000,
    }
    for name, target in targets.items():
        path = os.path.join(top, b"soft " + name)
        os.symlink(target, path)
        if os.geteuid() == 0:
            os.chown(path, 1000, 65534, follow_symlinks=False)
        time = chance.choice((YEAR_1931_NS, YEAR_2100_NS, chance.randrange(2 * 10**18)))
        os.utime(path, ns=(time, time), follow_symlinks=False)


def _build_sparse(root: bytes, chance: random.Random) -> None:
    top = os.path.join(root, b"sparse")
    os.mkdir(top)
    layouts = {
        b"holes": ((0, 4096), (1 << 20, 100_000), (5 << 20, 1)),
        b"leading hole": ((3 << 20, 70_000),),
        b"trailing hole": ((0, 5000),),
        b"only a hole": (),
    }
    for name, extents in layouts.items():
        path = os.path.join(top, name)
        _write(path, b"", 0o644, chance)
        with open(path, "r+b") as file:
            for offset, length in extents:
                file.seek(offset)
                file.write(chance.randbytes(length))
            file.truncate((6 << 20) + 1)


def _build_deep(root: bytes) -> None:
    fd = os.open(root, os.O_RDONLY)
    for _ in range(DEEP_LEVELS):
        os.mkdir(DEEP_NAME, dir_fd=fd)
        below = os.open(DEEP_NAME, os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    bottom = os.open(b"bottom", os.O_WRONLY | os.O_CREAT, 0o644, dir_fd=fd)
    os.write(bottom, b"the bottom")
    os.close(bottom)
    os.symlink(b"bottom", b"to the bottom", dir_fd=fd)
    os.close(fd)


def _build_random(root: bytes, chance: random.Random, file_count: int) -> None:
    directories = [os.path.join(root, b"random")]
    os.mkdir(directories[0])
    for i in range(file_count):
        if chance.random() < 0.2:
            directories.append(os.path.join(chance.choice(directories), b"d%d" % i))
            os.mkdir(directories[-1])
        size = chance.choice((0, 1, 100, 4096, 4097, 65_000, 200_000))
        path = os.path.join(chance.choice(directories), b"f%d" % i)
        _write(path, chance.randbytes(size), chance.choice(MODES), chance)


def _build_times(root: bytes) -> None:
    top = os.path.join(root, b"times")
    os.mkdir(top)
    for name, time in (
        (b"before 1970", YEAR_1931_NS),
        (b"one ns before", -1),
        (b"far", YEAR_2100_NS),
        (b"farther", YEAR_9999_NS),
        (b"sub-second", 1_600_000_000_000_000_001),
    ):
        path = os.path.join(top, name)
        with open(path, "wb") as file:
            file.write(name)
        os.utime(path, ns=(time, time))
        os.symlink(name, path + b" link")
        os.utime(path + b" link", ns=(time, time), follow_symlinks=False)


def _build_directories(root: bytes, chance: random.Random) -> None:
    top = os.path.join(root, b"directories")
    os.mkdir(top)
    os.mkdir(os.path.join(top, b"empty"))
    modes = ((b"setgid", 0o2775), (b"sticky", 0o1777), (b"read-only", 0o555), (b"private", 0o700))
    for name, mode in modes:
        path = os.path.join(top, name)
        os.mkdir(path)
        os.mkdir(os.path.join(path, b"below"))
        _write(os.path.join(path, b"file"), b"in " + name, 0o444, chance)
        _write(os.path.join(path, b"below", b"file"), b"below " + name, 0o444, chance)
        os.utime(os.path.join(path, b"below"), ns=(0, 77))
        if os.geteuid() == 0:
            os.chown(path, 1000, 65534)
        os.chmod(os.path.join(path, b"below"), mode)
        os.utime(path, ns=(0, YEAR_1931_NS))
        os.chmod(path, mode)


def _differing_directories(
    path: bytes,
    source_fd: int,
    dest_fd: int,
    groups: tuple[dict[tuple[int, int], list[bytes]], dict[tuple[int, int], list[bytes]]],
    with_owners: bool,
) -> Iterator[str]:
    names = [{os.fsencode(name) for name in os.listdir(fd)} for fd in (source_fd, dest_fd)]
    for name in sorted(names[0] - names[1]):
        yield f"missing: {path + name!r}"
    for name in sorted(names[1] - names[0]):
        yield f"extra: {path + name!r}"
    for name in sorted(names[0] & names[1]):
        here = path + name
        one = os.stat(name, dir_fd=source_fd, follow_symlinks=False)
        other = os.stat(name, dir_fd=dest_fd, follow_symlinks=False)
        yield from _differing_attributes(here, one, other, with_owners)
        if stat.S_IFMT(one.st_mode) != stat.S_IFMT(other.st_mode):
            continue
        if stat.S_ISLNK(one.st_mode):
            targets = [os.readlink(name, dir_fd=fd) for fd in (source_fd, dest_fd)]
            if targets[0] != targets[1]:
                yield f"link target of {here!r}: {targets[0]!r} became {targets[1]!r}"
        if not stat.S_ISDIR(one.st_mode):
            groups[0][one.st_dev, one.st_ino].append(here)
            groups[1][other.st_dev, other.st_ino].append(here)
        if not stat.S_ISREG(one.st_mode) and not stat.S_ISDIR(one.st_mode):
            continue
        fds = [os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=fd) for fd in (source_fd, dest_fd)]
        try:
            if stat.S_ISDIR(one.st_mode):
                yield from _differing_directories(here + b"/", fds[0], fds[1], groups, with_owners)
            elif one.st_size == other.st_size and not _has_same_contents(fds[0], fds[1], one.st_size):
                yield f"contents of {here!r} differ"
        finally:
            for fd in fds:
                os.close(fd)


def _differing_attributes(path: bytes, one: os.stat_result, other: os.stat_result, with_owners: bool) -> list[str]:
    pairs = [("type and mode", oct(one.st_mode), oct(other.st_mode)), ("time", one.st_mtime_ns, other.st_mtime_ns)]
    if stat.S_ISREG(one.st_mode):
        pairs.append(("size", one.st_size, other.st_size))
    if stat.S_ISCHR(one.st_mode) or stat.S_ISBLK(one.st_mode):
        pairs.append(("device", one.st_rdev, other.st_rdev))
    if with_owners:
        pairs.append(("owner", (one.st_uid, one.st_gid), (other.st_uid, other.st_gid)))
    return [f"{what} of {path!r}: {first} became {second}" for what, first, second in pairs if first != second]


def _differing_xattrs(source: bytes, dest: bytes) -> Iterator[str]:
    """Of all that has the same name on both sides."""
    both = [_xattrs(source), _xattrs(dest)]
    if both[0] != both[1]:
        yield f"attributes of {source!r}: {both[0]} became {both[1]}"
    if os.path.isdir(source) and not os.path.islink(source):
        for name in sorted(set(os.listdir(source)) & set(os.listdir(dest))):
            yield from _differing_xattrs(os.path.join(source, name), os.path.join(dest, name))


def _xattrs(path: bytes) -> dict[str, bytes]:
    names = sorted(os.listxattr(path, follow_symlinks=False))
    return {name: os.getxattr(path, name, follow_symlinks=False) for name in names}


def _has_same_contents(one: int, other: int, size: int) -> bool:
    """Holes on both sides are passed over, so that huge sparse files compare quickly."""
    position = 0
    while position < size:
        position = min(_next_data(one, position, size), _next_data(other, position, size))
        blocks = [os.pread(fd, _BLOCK, position) for fd in (one, other)]
        if blocks[0] != blocks[1]:
            return False
        position += _BLOCK
    return True


def _next_data(fd: int, position: int, size: int) -> int:
    try:
        return os.lseek(fd, position, os.SEEK_DATA)
    except OSError as error:
        if error.errno == errno.ENXIO:
            return size
        raise


def _remove(name: bytes, parent_fd: int) -> None:
    if not stat.S_ISDIR(os.stat(name, dir_fd=parent_fd, follow_symlinks=False).st_mode):
        os.unlink(name, dir_fd=parent_fd)
        return
    os.chmod(name, 0o700, dir_fd=parent_fd)
    fd = os.open(name, os.O_RDONLY, dir_fd=parent_fd)
    try:
        for below in os.listdir(fd):
            _remove(os.fsencode(below), fd)
    finally:
        os.close(fd)
    os.rmdir(name, dir_fd=parent_fd)
