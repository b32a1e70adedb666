"""Hostile users of a target or of the master: nobody gains rights or contents by what they do while a run is on."""

from __future__ import annotations

import os
import random
import shutil
import signal
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.whole.site import Site, is_alive, wait_until_gone

MEGABYTE = 1 << 20
SEED = random.randrange(1 << 32)
NOBODY = 65534
EVIL = random.Random(7).randbytes(200_000)

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to be attacked by somebody else")


class Intruder:
    """Another user on target a who acts in a directory of their own until the context ends, in a process of their own.

    act: one action. It is called again and again with the directory and a source of chance, and may fail.
    """

    def __init__(self, place: Path, act: Callable[[Path, random.Random], None]) -> None:
        self._place = place
        self._act = act
        self._pid = 0

    def __enter__(self) -> Intruder:
        self._pid = os.fork()
        if not self._pid:
            try:
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY)
                chance = random.Random(SEED)
                while True:
                    with suppress(OSError):
                        self._act(self._place, chance)
            finally:
                os._exit(1)
        return self

    def __exit__(self, *_: object) -> None:
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)


def own_file(place: Path, chance: random.Random) -> Path:
    path = place / f"own-{chance.randrange(1 << 30)}"
    path.write_bytes(EVIL)
    path.chmod(0o755)
    return path


def tamper(place: Path, chance: random.Random) -> None:
    """Move away or swap a file that is staged or in place, or put something else in its place."""
    names = [entry for entry in os.listdir(place) if not entry.startswith(("own-", "taken-"))]
    if not names:
        return
    victim = place / chance.choice([name for name in names if name.startswith(".mrsync-")] or names)
    way = chance.randrange(7)
    if way == 0:
        other = place / chance.choice(names)
        aside = place / f"own-{chance.randrange(1 << 30)}"
        os.rename(victim, aside)
        os.rename(other, victim)
        os.rename(aside, other)
        return
    if way == 1:
        os.replace(own_file(place, chance), victim)
        return
    os.rename(victim, place / f"taken-{chance.randrange(1 << 30)}")
    if way == 2:
        os.mkfifo(victim)
    elif way == 3:
        os.symlink(place.parent.parent.parent / "shadow", victim)
    elif way == 4:
        os.link(place / chance.choice(names), victim)
    elif way == 5:
        os.mkdir(victim)
    else:
        os.rename(own_file(place, chance), victim)


def make_programs_and_secrets(site: Site, *, files: int, size: int) -> bytes:
    """Make programs and secrets of root in `open`, which belongs to nobody. Return what the secrets contain."""
    secret = os.urandom(size)
    place = site.source / "open"
    place.mkdir(parents=True)
    for number in range(files):
        path = place / f"{number}"
        path.write_bytes(os.urandom(size) if number % 2 else secret)
        path.chmod(0o4755 if number % 2 else 0o600)
    for host in site.hosts:
        (site.dest(host) / "open").mkdir(parents=True)
    for top in (site.source, *map(site.dest, site.hosts)):
        os.chown(top / "open", NOBODY, NOBODY)
    (site.folder / "shadow").write_bytes(EVIL)
    (site.folder / "shadow").chmod(0o600)
    return secret


def assert_nobody_gained(site: Site, secret: bytes) -> None:
    for folder, _, names in os.walk(site.dest("a")):
        for name in names:
            path = Path(folder, name)
            status = path.lstat()
            if not stat.S_ISREG(status.st_mode):
                continue
            data = path.read_bytes()
            if data == EVIL:
                assert status.st_uid == NOBODY, path
                assert not status.st_mode & 0o6000, path
            if secret[:4096] in data:
                assert status.st_uid == 0, path
                assert not status.st_mode & 0o077, path
    shadow = (site.folder / "shadow").stat()
    assert (shadow.st_uid, shadow.st_mode & 0o7777, shadow.st_nlink) == (0, 0o600, 1)
    assert (site.folder / "shadow").read_bytes() == EVIL


@needs_root
@pytest.mark.parametrize("options", [["--delta"], ["--commit", "each", "--backup"]], ids=" ".join)
def test_writers_inside_the_destination_gain_nothing(site: Site, options: list[str]) -> None:
    print(f"seed {SEED}")
    secret = make_programs_and_secrets(site, files=40, size=200_000)
    for _ in range(2):
        with Intruder(site.dest("a") / "open", tamper):
            run = site.start("--rate", "20M", "--delete", *options)
            catchers = run.catchers(3)
            assert run.wait().status in (0, 23, 24, 30)
            wait_until_gone(catchers, timeout_s=30)
        assert_nobody_gained(site, secret)
    assert site.differences("b") == [] or options == []


def make_secrets(site: Site, *, files: int, size: int) -> bytes:
    """Make a directory of nobody in the source, with secrets of root beside files of nobody. Return their contents.

    All have the same size and time, which an attacker would arrange. A closed directory has files of the same names.
    """
    secret = os.urandom(size)
    for folder, owner in (("open/sub", NOBODY), ("open", NOBODY), ("../vault", 0)):
        place = site.source / folder
        place.mkdir(parents=True, exist_ok=True)
        for number in range(files):
            is_of_root = owner == 0 or number % 2 == 0
            path = place / f"{number}"
            path.write_bytes(secret if is_of_root else os.urandom(size))
            path.chmod(0o600 if is_of_root else 0o644)
            os.chown(path, 0 if is_of_root else NOBODY, 0 if is_of_root else NOBODY)
            os.utime(path, ns=(0, 10**18))
        os.chown(place, owner, owner)
    (site.folder / "vault").chmod(0o755)
    return secret


def shuffle(place: Path, chance: random.Random) -> None:
    """Swap two names, or make a name lead into the closed directory for a moment."""
    folder = place / chance.choice(("", "sub"))
    one, other = (folder / name for name in chance.sample(os.listdir(folder), 2))
    aside = place.parent / "open" / "aside" if folder == place else folder / "aside"
    way = chance.randrange(4)
    if way == 0:
        os.rename(one, aside)
        os.rename(other, one)
        os.rename(aside, other)
        return
    victim, target = (place / "sub", "../../vault") if way == 1 else (one, f"../../vault/{one.name}")
    os.rename(victim, aside)
    try:
        if way < 3:
            os.symlink(target, victim)
        else:
            os.link(place.parent.parent / "vault" / "0", victim)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(victim)
        os.rename(aside, victim)


@needs_root
@pytest.mark.parametrize(
    "options",
    [
        ["--commit", "each", "--checksum", "--chmod", "F+X"],
        ["--delta", "--xattrs", "--acls"],
        ["-L", "--no-partial"],
    ],
    ids=" ".join,
)
def test_writers_inside_the_source_gain_nothing(site: Site, options: list[str]) -> None:
    """They may rename entries there, and so put files that they cannot read in the place of others."""
    print(f"seed {SEED}")
    secret = make_secrets(site, files=40, size=100_000)
    for _ in range(2):
        with Intruder(site.source / "open", shuffle):
            catchers = (run := site.start("--rate", "20M", *options)).catchers(3)
            assert run.wait().status in (0, 23, 24)
            wait_until_gone(catchers, timeout_s=30)
        for host in site.hosts:
            for path in site.dest(host).rglob("*"):
                if path.is_file() and not path.is_symlink() and secret[:1000] in path.read_bytes():
                    status = path.stat()
                    assert (status.st_uid, status.st_mode & 0o077) == (0, 0), f"{path} can be read"
    if "-L" not in options:  # else links of theirs lead to what they like at the end, too
        assert site.sync(*options).status == 0


@needs_root
def test_swapping_files_of_a_killed_run_gains_nothing(site: Site) -> None:
    secret = make_programs_and_secrets(site, files=8, size=2_000_000)
    run = site.start("--rate", "4M")
    catchers = run.catchers(3)
    while sum(site.staged_sizes()) < 6_000_000:
        assert is_alive(run.pid)
    run.kill()
    run.wait()
    wait_until_gone(catchers, timeout_s=30)
    with Intruder(site.dest("a") / "open", tamper):
        ended = site.sync()
    assert ended.status in (0, 23, 24, 30)
    assert_nobody_gained(site, secret)
    shutil.rmtree(site.dest("a") / "open")
    assert site.sync().status == 0
    assert site.all_differences() == {}


@needs_root
def test_a_forged_program_is_replaced_and_does_not_become_roots(site: Site) -> None:
    """It has the size and the time of the true one; on the other targets only the owner is wrong."""
    site.source.mkdir()
    (site.source / "tool").write_bytes(os.urandom(len(EVIL)))
    (site.source / "tool").chmod(0o4755)
    times = (site.source / "tool").stat().st_mtime_ns
    for host in site.hosts:
        site.dest(host).mkdir()
        data = EVIL if host == "a" else (site.source / "tool").read_bytes()
        (site.dest(host) / "tool").write_bytes(data)
        os.chown(site.dest(host) / "tool", NOBODY, NOBODY)
        os.utime(site.dest(host) / "tool", ns=(times, times))
    ended = site.sync()
    assert (ended.status, ended.stderr) == (0, "")
    assert site.all_differences() == {}
    assert site.sync().status == 0


@needs_root
def test_contents_that_are_right_are_read_and_not_cast(site: Site) -> None:
    site.source.mkdir()
    (site.source / "tool").write_bytes(os.urandom(4 * MEGABYTE))
    (site.source / "tool").chmod(0o4755)
    assert site.sync().status == 0
    for host in site.hosts:
        os.chown(site.dest(host) / "tool", NOBODY, NOBODY)
    ended = site.sync()
    assert ended.status == 0
    assert site.all_differences() == {}
    assert ended.report["bytes_sent"] < MEGABYTE


def test_contents_of_linked_rule_files_are_not_quoted(site: Site) -> None:
    """A rule file may be a link, as in `.rsync-filter -> /etc/shadow`, in the source and on a target."""
    secret = site.folder / "shadow"
    secret.write_text("root:$6$secret:19000:0:99999:7:::\n")
    secret.chmod(0o600)
    site.source.mkdir()
    (site.source / "file").write_text("contents")
    (site.source / ".rsync-filter").symlink_to(secret)
    log = site.folder / "log"
    ended = site.sync("-F", "--log-file", log)
    assert ended.status == 23
    assert ".rsync-filter: Too many levels of symbolic links" in ended.stderr
    (site.source / ".rsync-filter").unlink()
    (site.source / ".rsync-filter").write_text(f". {secret}\n")
    again = site.sync("-F", "--log-file", log)
    assert again.status == 1
    (site.source / ".rsync-filter").unlink()
    assert (site.dest("a") / ".rsync-filter").is_symlink()
    last = site.sync("-F", "--log-file", log)
    for text in (ended.stdout, ended.stderr, again.stdout, again.stderr, last.stdout, last.stderr, log.read_text()):
        assert "$6$" not in text
