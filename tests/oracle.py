"""What rsync itself makes of two trees: the oracle for every option that has rsync's name."""

from __future__ import annotations

import os
import random
import socket
import stat
import struct
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

BASE_NS = 1_500_000_000_123_456_789
SECOND_NS = 1_000_000_000


def rsync(source: Path, dest: Path, *options: str, statuses: Sequence[int] = (0,)) -> str:
    """Run rsync as mrsync works without options: -aH --delete, times to the nanosecond; what it prints.

    Takes mrsync's --no-delete and --no-hard-links too, and a --modify-window of its own in place of the one above.
    """
    base = {"--no-delete": "--delete", "--no-hard-links": "-H"}
    command = ["rsync", "-a", *(own for no, own in base.items() if no not in options), "--modify-window=-1"]
    command += [option for option in options if option not in base] + [f"{source}/", f"{dest}/"]
    done = subprocess.run(
        command,
        capture_output=True,
        check=False,
        encoding="utf-8",
        errors="surrogateescape",
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )
    assert done.returncode in statuses, done.stderr
    return done.stdout


def items(output: str) -> list[str]:
    """Of what rsync prints what is itemized, sorted."""
    return sorted(line for line in output.splitlines() if line[0] in "<>ch.*" and line[11:12] == " ")


def build_pair(source: Path, dest: Path, seed: int, *, files: int = 60, least_ns: int = 1, swaps: bool = True) -> None:
    """Two trees that agree in some entries and differ in others in every way that options speak of.

    least_ns: no two times are closer than that. swaps: some have a directory where the other has none.
    """
    chance = _Chance(seed, least_ns, swaps)
    for top in (source, dest):
        top.mkdir()
    directories = [Path(".")]
    for number in range(files):
        if chance.random() < 0.2:
            directories.append(chance.choice(directories) / f"d{number}")
            for top in _tops(source, dest, chance):
                (top / directories[-1]).mkdir(parents=True, exist_ok=True)
        path = chance.choice(directories) / f"f{number}"
        for top in _tops(source, dest, chance):
            _make(top / path, chance)
    for number in range(files // 6):
        _make_group([chance.choice(directories) / f"g{number}{letter}" for letter in "abc"], source, dest, chance)
    for top in (source, dest):
        for path in [top, *top.rglob("*")]:
            if path.is_dir() and not path.is_symlink():
                os.utime(path, ns=(0, BASE_NS + chance.choice((0, 0, 3 * SECOND_NS))))


class _Chance(random.Random):
    def __init__(self, seed: int, least_ns: int, swaps: bool) -> None:
        super().__init__(seed)
        self.least_ns = least_ns
        self.swaps = swaps


def _tops(source: Path, dest: Path, chance: _Chance) -> tuple[Path, ...]:
    return chance.choice(((source, dest), (source, dest), (source, dest), (source,), (dest,)))


def _make(path: Path, chance: _Chance) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if chance.random() < 0.1:
        path.symlink_to(chance.choice(("here", "there")))
        _dress(path, chance)
        return
    if chance.random() < 0.05 and chance.swaps:
        path.mkdir()
        if chance.random() < 0.5:
            (path / "below").write_bytes(b"below")
            _dress(path / "below", chance)
        return
    path.write_bytes(chance.choice((b"", b"abc", b"abc", b"abc", b"xyz", b"longer than that")))
    _dress(path, chance)


def _dress(path: Path, chance: _Chance) -> None:
    """Owner, mode and time, most often the same."""
    if os.geteuid() == 0:
        owner = chance.choice(((0, 0), (0, 0), (0, 0), (1, 0), (0, 2), (4242, 65534)))
        os.chown(path, *owner, follow_symlinks=False)
    if not path.is_symlink():
        path.chmod(chance.choice((0o644, 0o644, 0o644, 0o600, 0o755, 0o4755, 0o2711)))
    apart = chance.choice((0, 0, 0, 1, -1, SECOND_NS, -SECOND_NS, 2 * SECOND_NS, -5 * SECOND_NS))
    os.utime(path, ns=(0, BASE_NS + (apart if abs(apart) >= chance.least_ns else 0)), follow_symlinks=False)


def _make_group(paths: list[Path], source: Path, dest: Path, chance: _Chance) -> None:
    """Names that are one file in the source; in dest some of them are, some are files of their own, some are absent."""
    for path in paths:
        (source / path).parent.mkdir(parents=True, exist_ok=True)
    (source / paths[0]).write_bytes(b"abc")
    _dress(source / paths[0], chance)
    for path in paths[1:]:
        os.link(source / paths[0], source / path)
    there = [dest / path for path in paths if chance.random() < 0.7]
    for number, path in enumerate(there):
        path.parent.mkdir(parents=True, exist_ok=True)
        if number and chance.random() < 0.5:
            os.link(there[0], path)
        else:
            path.write_bytes(chance.choice((b"abc", b"abc", b"abc", b"longer than that")))
            _dress(path, chance)


def can_keep(directory: Path) -> str:
    """Why this process cannot give a file of this directory all kinds of extended attributes; nothing if it can."""
    path = directory / "probe"
    path.touch()
    try:
        for name in ATTRIBUTES[os.geteuid() == 0]:
            os.setxattr(path, name, CAPABILITY if name == "security.capability" else b"1")
        os.setxattr(path, "system.posix_acl_access", acl((USER, 1, 4)))
    except OSError as error:
        return f"{error.strerror}: {name} in {directory}"
    finally:
        path.unlink()
    return ""


USER, GROUP = 2, 8
# No character device and block device have the same number: rsync takes one for the other.
DEVICES = ((stat.S_IFCHR, 3), (stat.S_IFCHR, 5), (stat.S_IFBLK, 1), (stat.S_IFBLK, 2))
ATTRIBUTES = (("user.one", "user.two"), ("user.one", "user.two", "trusted.one", "security.capability"))
# cap_net_raw+ep, as setcap writes it
CAPABILITY = struct.pack("<IIIII", 0x02000001, 1 << 13, 0, 0, 0)


def acl(*named: tuple[int, int, int], mode: int = 0o644, own_group: int = 4) -> bytes:
    """An ACL with entries (tag, id, permissions) besides those of the mode, as the kernel keeps it."""
    entries = [(1, mode >> 6 & 7, -1), (4, own_group, -1), (16, mode >> 3 & 7, -1), (32, mode & 7, -1)]
    entries += [(tag, bits, number) for tag, number, bits in named]
    return struct.pack("<I", 2) + b"".join([struct.pack("<HHi", *entry) for entry in sorted(entries)])


def adorn_pair(source: Path, dest: Path, seed: int, *, with_acls: bool) -> None:
    """Give entries of both trees extended attributes and ACLs, often the same.

    Without --acls what comes of ACLs depends on the directory in which a file is staged.
    """
    chance = random.Random(seed)
    names = {path.relative_to(top) for top in (source, dest) for path in [top, *top.rglob("*")]}
    for name in sorted(names):
        state = chance.getrandbits(64)
        for top in (source, dest):
            path = top / name
            if os.path.lexists(path):
                _adorn(path, random.Random(state if chance.random() < 0.6 else chance.getrandbits(64)), with_acls)


def _adorn(path: Path, chance: random.Random, with_acls: bool) -> None:
    status = path.lstat()
    times = (status.st_atime_ns, status.st_mtime_ns)
    is_plain = not path.is_symlink() and (path.is_dir() or path.is_file())
    for name in ATTRIBUTES[os.geteuid() == 0]:
        if chance.random() < 0.3 and (is_plain or name.startswith("trusted.")):
            value = CAPABILITY if name == "security.capability" else chance.choice((b"", b"1", b"x" * 90))
            if name != "security.capability" or path.is_file():
                os.setxattr(path, name, value, follow_symlinks=False)
    mode = stat.S_IMODE(status.st_mode)
    if path.is_symlink() or not with_acls:
        return
    if chance.random() < 0.3:
        named = [(chance.choice((USER, GROUP)), chance.choice((1, 2, 4242)), chance.randrange(8))]
        os.setxattr(path, "system.posix_acl_access", acl(*named, mode=mode, own_group=chance.randrange(8)))
    if path.is_dir() and chance.random() < 0.3:
        os.setxattr(path, "system.posix_acl_default", acl((USER, 1, 6), mode=chance.choice((0o755, 0o700))))
    os.utime(path, ns=times)


def add_specials(source: Path, dest: Path, seed: int) -> None:
    """Fifos, sockets and, where root may, devices, in one another's place and in that of files, links, directories."""
    chance = random.Random(seed)
    makers: list[Callable[[Path], object]] = [
        _make_fifo,
        _make_socket,
        _make_file,
        _make_link,
        _make_directory,
        lambda path: None,
    ]
    if os.geteuid() == 0:
        makers += [_make_device(*each) for each in DEVICES]
    for number in range(40):
        for top in (source, dest):
            path = top / f"s{number}"
            chance.choice(makers)(path)
            if os.path.lexists(path):
                if not path.is_symlink():
                    path.chmod(chance.choice((0o600, 0o644)) | (0o100 if path.is_dir() else 0))
                os.utime(path, ns=(0, BASE_NS + chance.choice((0, 0, 1))), follow_symlinks=False)


def _make_fifo(path: Path) -> None:
    os.mkfifo(path)


def _make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(f"/proc/self/fd/{(fd := os.open(path.parent, os.O_RDONLY))}/{path.name}")
    os.close(fd)


def _make_file(path: Path) -> None:
    path.write_text("a file")


def _make_link(path: Path) -> None:
    path.symlink_to("somewhere")


def _make_directory(path: Path) -> None:
    path.mkdir()
    (path / "below").touch()
    os.utime(path / "below", ns=(0, 0))


def _make_device(kind: int, minor: int) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        os.mknod(path, kind | 0o600, os.makedev(1, minor))

    return make
