"""Pairs of trees that differ in every way, with names made of what programs write between names."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Sequence

PIECES = (
    b" -> ", b" => ", b"\n", b"\\#012", b"\\#", b"\\", b"\t", b" ", b"\xff\xfe", "\N{SNOWMAN}".encode(), b"a", b"b",
    b"\r", b"#", b"sent 1 bytes  received 2 bytes", b"*deleting   x", b">f+++++++++ x", b"\x7f", b"/", b".",
    b"sending incremental file list",
)  # fmt: skip
DELETING = b"deleting "
ODD_TARGETS = (b"a -> b", b"x => y", b"/nowhere", b"..", b"new\nline", b"\\#012", b" ", b"\xff")


class AwfulPair:
    """source and dest below a folder. Everything random comes from one seed."""

    def __init__(
        self, folder: bytes, seed: int, *, pieces: Sequence[bytes] = PIECES, has_other_modes: bool = True
    ) -> None:
        self.source = os.path.join(folder, b"source")
        self.dest = os.path.join(folder, b"dest")
        self._chance = random.Random(seed)
        self._pieces = pieces
        self._has_other_modes = has_other_modes
        os.mkdir(self.source)
        paths = [self._make(self._free_path()) for _ in range(40)]
        paths += [self._link(paths) for _ in range(6)]
        shutil.copytree(os.fsdecode(self.source), os.fsdecode(self.dest), symlinks=True)
        self._join(paths)
        for path in self._chance.sample(paths, len(paths) // 2):
            self._change(path)
        for _ in range(6):
            self._make_extra()

    def _name(self) -> bytes:
        while True:
            name = b"".join(self._chance.choices(self._pieces, k=self._chance.randrange(1, 5))).strip(b"/")
            parts = name.split(b"/")
            if all(parts) and not {b".", b".."} & set(parts):
                return name

    def _free_path(self) -> bytes:
        while True:
            name = self._name()
            path = os.path.join(self.source, name)
            above = [name[:i] for i, byte in enumerate(name) if byte == ord("/")]
            blocked = any(
                os.path.lexists(p) and not _is_directory(p) for p in (os.path.join(self.source, a) for a in above)
            )
            if not os.path.lexists(path) and not blocked:
                os.makedirs(os.path.dirname(path), exist_ok=True)
                return path

    def _make(self, path: bytes) -> bytes:
        kind = self._chance.randrange(8)
        if kind == 0:
            os.mkdir(path)
        elif kind == 1:
            os.symlink(self._chance.choice(ODD_TARGETS), path)
        else:
            with open(path, "wb") as file:
                file.write(self._chance.randbytes(self._chance.randrange(200)))
            os.utime(path, ns=(0, self._chance.randrange(10**18)))
        return path

    def _link(self, paths: list[bytes]) -> bytes:
        path = self._free_path()
        os.link(self._chance.choice([p for p in paths if _is_file(p)]), path)
        return path

    def _join(self, paths: list[bytes]) -> None:
        """Most hard links are such in the destination, too."""
        first: dict[int, bytes] = {}
        for path in sorted(filter(_is_file, paths)):
            leader = first.setdefault(os.lstat(path).st_ino, path)
            if leader != path and self._chance.random() < 0.6:
                os.unlink(self._there(path))
                os.link(self._there(leader), self._there(path))

    def _there(self, path: bytes) -> bytes:
        return self.dest + path[len(self.source) :]

    def _change(self, path: bytes) -> None:
        """Make the destination differ in one entry."""
        there = self._there(path)
        if not os.path.lexists(there) or (_is_directory(there) and self._chance.random() < 0.7):
            return
        change = self._chance.randrange(5)
        if change == 0 and _is_file(there) and self._has_other_modes:
            os.chmod(there, 0o600 if os.lstat(there).st_mode & 0o777 != 0o600 else 0o644)
        elif change == 1 and _is_file(there):
            os.utime(there, ns=(0, 10**18 + self._chance.randrange(10**9) * 10**9))
        else:
            _remove(there)
            if change == 2:
                os.symlink(self._chance.choice((b"/etc", b"somewhere")), there)
            elif change == 3:
                os.makedirs(os.path.join(there, b"below", self._chance.choice((b"x -> y", b"z"))))
                os.symlink(b"w", os.path.join(there, b"l => m"))
            elif change == 4:
                with open(there, "wb") as file:
                    file.write(b"was something else")

    def _make_extra(self) -> None:
        path = os.path.join(self.dest, b"extra " + self._name().replace(b"/", b"_"))
        if os.path.lexists(path):
            return
        if self._chance.random() < 0.4:
            os.makedirs(os.path.join(path, b"in", b"it\n"))
        else:
            os.symlink(b"/etc/passwd", path)


def _is_directory(path: bytes) -> bool:
    return os.path.isdir(path) and not os.path.islink(path)


def _is_file(path: bytes) -> bool:
    return os.path.isfile(path) and not os.path.islink(path)


def _remove(path: bytes) -> None:
    shutil.rmtree(path) if _is_directory(path) else os.unlink(path)
