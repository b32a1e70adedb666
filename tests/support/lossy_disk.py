"""A disk that loses what was not flushed: it takes down what a program does, and makes up what a power cut leaves."""

from __future__ import annotations

import copy
import functools
import os
import random
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

ALL = -1
Change = Callable[["Disk", random.Random], object]


@dataclass
class Inode:
    """What the disk has of one file, directory or link."""

    mode: int
    content: bytearray = field(default_factory=bytearray)
    names: dict[bytes, int] = field(default_factory=dict)  # of a directory
    target: bytes = b""
    mtime_ns: int = 0

    @property
    def kind(self) -> int:
        return stat.S_IFMT(self.mode)


@dataclass
class Disk:
    """Inodes by numbers of our own, as the kernel gives its numbers again; 0 is the root."""

    inodes: dict[int, Inode] = field(default_factory=dict)

    def files(self, number: int = 0, path: bytes = b"") -> Iterator[tuple[bytes, Inode]]:
        """Path and inode of all that is below a directory."""
        for name, below in sorted(self.inodes[number].names.items()):
            inode = self.inodes[below]
            yield os.path.join(path, name), inode
            if inode.kind == stat.S_IFDIR:
                yield from self.files(below, os.path.join(path, name))

    def put_into(self, folder: Path) -> None:
        """Make this tree a real one, in a directory that is empty."""
        links: dict[int, bytes] = {}
        for path, inode in self.files():
            place = os.path.join(os.fsencode(folder), path)
            if inode.kind == stat.S_IFDIR:
                os.mkdir(place)
            elif id(inode) in links:
                os.link(links[id(inode)], place)
            elif inode.kind == stat.S_IFLNK:
                os.symlink(inode.target, place)
            else:
                Path(os.fsdecode(place)).write_bytes(inode.content)
                os.chmod(place, stat.S_IMODE(inode.mode))
                os.utime(place, ns=(inode.mtime_ns, inode.mtime_ns))
                links[id(inode)] = place


@dataclass
class Entry:
    """One change; is_data: a disk may do it before or after others, or in part. flushes: inode, or ALL."""

    change: Change = lambda disk, chance: None
    is_data: bool = False
    inode: int = 0
    flushes: int | None = None


class LossyDisk:
    """Stands between a program and os for what is below `root`, and keeps a log of what it does.

    As journalling file systems do: names and attributes reach the disk in their order, contents whenever they like, and
    a size may be there without its contents. A flush has all of it there, one of a file all but others' contents.
    """

    def __init__(self, root: Path) -> None:
        self._root = os.fsencode(root)
        self.log: list[Entry] = []
        self._numbers: dict[tuple[int, int], int] = {}
        self._count = 0
        self.before = Disk()
        self._take(self._root)

    def cut(self, seed: int, moment: int | None = None) -> Disk:
        """Return what is there after a power cut, when this many changes were made. None: any number of them."""
        chance = random.Random(seed)
        done = self.log[: chance.randrange(len(self.log) + 1) if moment is None else moment]
        flushed = max((at for at, entry in enumerate(done) if entry.flushes == ALL), default=-1) + 1
        synced = {entry.flushes: at for at, entry in enumerate(done) if entry.flushes is not None}
        named = chance.randint(max(synced.values(), default=0), len(done))  # so many names and attributes got there
        share = chance.choice((0.0, 0.2, 0.8))
        disk = copy.deepcopy(self.before)
        for at, entry in enumerate(done):
            if entry.is_data:
                if at < flushed or at < synced.get(entry.inode, -1) or chance.random() < share:
                    entry.change(disk, chance)
            elif at < named:
                entry.change(disk, chance)
        return disk

    @contextmanager
    def watching(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[LossyDisk]:
        """Put in place of os what writes the log."""
        with monkeypatch.context() as patch:
            for name in WATCHED:
                real = getattr(os, name)
                patch.setattr(os, name, functools.partial(getattr(self, f"_{name}"), real))
            patch.setattr("mrsync.tree.staging.durability.flush_file_system", lambda fd: self._flush_all())
            yield self

    def _flush_all(self) -> None:
        self.log.append(Entry(flushes=ALL))

    # what is there

    def _take(self, path: bytes) -> int:
        status = os.lstat(path)
        known = self._numbers.get((status.st_dev, status.st_ino))
        if known is not None:
            return known
        number = self._new(status)
        inode = Inode(status.st_mode, mtime_ns=status.st_mtime_ns)
        self.before.inodes[number] = inode
        if stat.S_ISDIR(status.st_mode):
            inode.names = {name: self._take(os.path.join(path, name)) for name in os.listdir(path)}
        elif stat.S_ISLNK(status.st_mode):
            inode.target = os.readlink(path)
        elif stat.S_ISREG(status.st_mode):
            inode.content = bytearray(Path(os.fsdecode(path)).read_bytes())
        return number

    def _new(self, status: os.stat_result) -> int:
        number, self._count = self._count, self._count + 1
        self._numbers[status.st_dev, status.st_ino] = number
        return number

    def _of(self, status: os.stat_result) -> int | None:
        return self._numbers.get((status.st_dev, status.st_ino))

    def _of_fd(self, fd: int) -> int | None:
        return self._of(os.fstat(fd))

    # what is done

    def _made(self, directory: int, name: bytes, status: os.stat_result, target: bytes = b"") -> None:
        above = self._of_fd(directory)
        if above is None:
            return
        number = self._new(status)

        def change(disk: Disk, _: random.Random) -> None:
            disk.inodes[number] = Inode(status.st_mode, target=target)
            disk.inodes[above].names[name] = number

        self.log.append(Entry(change))

    def _open(self, real: Any, path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        fd: int = real(path, flags, mode, dir_fd=dir_fd)
        if flags & os.O_CREAT and dir_fd is not None:
            self._made(dir_fd, os.fsencode(path), os.fstat(fd))
        return fd

    def _mkdir(self, real: Any, path: Any, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
        real(path, mode, dir_fd=dir_fd)
        if dir_fd is not None:
            self._made(dir_fd, os.fsencode(path), os.lstat(path, dir_fd=dir_fd))

    def _symlink(self, real: Any, target: Any, path: Any, *, dir_fd: int) -> None:
        real(target, path, dir_fd=dir_fd)
        self._made(dir_fd, path, os.lstat(path, dir_fd=dir_fd), target)

    def _link(self, real: Any, path: Any, new: Any, *, src_dir_fd: int, dst_dir_fd: int, **more: Any) -> None:
        real(path, new, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd, **more)
        above, number = self._of_fd(dst_dir_fd), self._of(os.lstat(new, dir_fd=dst_dir_fd))
        if above is not None and number is not None:
            parent, child = above, number
            self.log.append(Entry(lambda disk, _: disk.inodes[parent].names.update({new: child})))

    def _rename(self, real: Any, path: Any, new: Any, *, src_dir_fd: int, dst_dir_fd: int) -> None:
        number = self._of(os.lstat(path, dir_fd=src_dir_fd))
        real(path, new, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)
        source, target = self._of_fd(src_dir_fd), self._of_fd(dst_dir_fd)
        assert number is not None
        assert source is not None
        assert target is not None
        child, old, parent = number, source, target

        def change(disk: Disk, _: random.Random) -> None:
            disk.inodes[old].names.pop(path, None)
            disk.inodes[parent].names[new] = child

        self.log.append(Entry(change))

    def _unlink(self, real: Any, path: Any, *, dir_fd: int) -> None:
        real(path, dir_fd=dir_fd)
        number = self._of_fd(dir_fd)
        if number is not None:
            parent = number
            self.log.append(Entry(lambda disk, _: disk.inodes[parent].names.pop(path, None)))

    _rmdir = _unlink

    def _pwritev(self, real: Any, fd: int, parts: Any, offset: int) -> int:
        count: int = real(fd, parts, offset)
        self._written(fd, b"".join(parts)[:count], offset)
        return count

    def _pwrite(self, real: Any, fd: int, data: Any, offset: int) -> int:
        count: int = real(fd, data, offset)
        self._written(fd, bytes(data)[:count], offset)
        return count

    def _writev(self, real: Any, fd: int, parts: Any) -> int:
        at = os.fstat(fd).st_size
        count: int = real(fd, parts)
        self._written(fd, b"".join(parts)[:count], at)
        return count

    def _written(self, fd: int, data: bytes, offset: int) -> None:
        number = self._of_fd(fd)
        if number is None:
            return
        inode = number

        def grow(disk: Disk, chance: random.Random) -> None:
            if chance.random() < 0.5:
                _resize(disk.inodes[inode].content, max(offset + len(data), len(disk.inodes[inode].content)))

        def write(disk: Disk, _: random.Random) -> None:
            if inode in disk.inodes:
                content = disk.inodes[inode].content
                _resize(content, max(offset + len(data), len(content)))
                content[offset : offset + len(data)] = data

        self.log.append(Entry(grow, inode=inode))
        self.log.append(Entry(write, is_data=True, inode=inode))

    def _ftruncate(self, real: Any, fd: int, size: int) -> None:
        real(fd, size)
        number = self._of_fd(fd)
        if number is not None:
            inode = number
            self.log.append(Entry(lambda disk, _: _resize(disk.inodes[inode].content, size), inode=inode))

    def _fchmod(self, real: Any, fd: int, mode: int) -> None:
        real(fd, mode)
        number = self._of_fd(fd)
        if number is not None:
            inode = number

            def change(disk: Disk, _: random.Random) -> None:
                disk.inodes[inode].mode = disk.inodes[inode].kind | mode

            self.log.append(Entry(change, inode=inode))

    def _utime(self, real: Any, path: Any, *, ns: tuple[int, int], **more: Any) -> None:
        real(path, ns=ns, **more)
        number = self._of_fd(path) if isinstance(path, int) else None
        if number is not None:
            inode = number

            def change(disk: Disk, _: random.Random) -> None:
                disk.inodes[inode].mtime_ns = ns[1]

            self.log.append(Entry(change, inode=inode))

    def _fsync(self, real: Any, fd: int) -> None:
        number = self._of_fd(fd)
        if number is not None:
            self.log.append(Entry(inode=number, flushes=number))

    _fdatasync = _fsync


WATCHED = (
    *("open", "mkdir", "symlink", "link", "rename", "unlink", "rmdir"),
    *("pwritev", "pwrite", "writev", "ftruncate", "fchmod", "utime", "fsync", "fdatasync"),
)


def _resize(content: bytearray, size: int) -> None:
    if size < len(content):
        del content[size:]
    else:
        content.extend(bytes(size - len(content)))
