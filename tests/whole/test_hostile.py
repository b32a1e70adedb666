"""A hostile network, and hostile users of a target: what arrives is exact, and nobody gains rights by what they do."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import socket
import stat
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.trees import build_awkward_tree
from tests.whole.site import LOOPBACK, Site, is_alive, wait_until_gone

MEGABYTE = 1 << 20
HEADER = struct.Struct(">BBBBBBHIHHII")  # docs/protocol.md: magic, version, kind, index, count, object, ... tag, ...
SEED = random.randrange(1 << 32)
DATAGRAMS_PER_S = 1500
ETH_P_IP = 0x0800
NOBODY = 65534
EVIL = random.Random(7).randbytes(200_000)

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to be attacked by somebody else")


class Stranger:
    """Hears the group of a site, and throws datagrams at its group, at its caster and at its catchers."""

    def __init__(self, site: Site) -> None:
        self.chance = random.Random(SEED)
        self.heard: list[bytes] = []
        self.thrown = 0
        self._site = site
        self._is_over = threading.Event()
        self._ear = self._open_ear()
        self._mouth = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        membership = socket.inet_aton("0.0.0.0") + socket.inet_aton(LOOPBACK)
        self._mouth.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, membership[4:])

    def _open_ear(self) -> socket.socket:
        """Root hears reports and answers too, as anybody in the same network may."""
        if os.geteuid() == 0:
            ear = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_IP))
            ear.bind(("lo", ETH_P_IP))
        else:
            ear = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            ear.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            ear.bind((self._site.group, self._site.port))
            membership = socket.inet_aton(self._site.group) + socket.inet_aton(LOOPBACK)
            ear.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
        ear.setblocking(False)
        return ear

    @contextmanager
    def throwing(self, make: Callable[[Stranger], bytes]) -> Iterator[None]:
        """Until the end of the context."""
        thread = threading.Thread(target=self._throw, args=(make,))
        thread.start()
        try:
            yield
        finally:
            self._is_over.set()
            thread.join()
            self._ear.close()
            self._mouth.close()

    def _throw(self, make: Callable[[Stranger], bytes]) -> None:
        while not self._is_over.wait(0.01):
            self._hear()
            places = [(self._site.group, self._site.port), (LOOPBACK, self._site.port - 1)]
            places += [(LOOPBACK, port) for port in udp_ports()]
            for _ in range(DATAGRAMS_PER_S // 100):
                datagram = make(self)
                if datagram:
                    self.thrown += 1
                    self._mouth.sendto(datagram[:60000], self.chance.choice(places))

    def _hear(self) -> None:
        for _ in range(200):
            try:
                packet = self._ear.recv(65536)
            except BlockingIOError:
                return
            datagram = udp_payload(packet, self._site.port) if os.geteuid() == 0 else packet
            if datagram is not None and len(self.heard) < 3000:
                self.heard.append(datagram)


def udp_payload(packet: bytes, port: int) -> bytes | None:
    """What an IP packet carries, if it belongs to the session on this port."""
    header = (packet[0] & 15) * 4
    if packet[9] != socket.IPPROTO_UDP:
        return None
    ports = struct.unpack_from(">HH", packet, header)
    return packet[header + 8 :] if {port, port - 1} & set(ports) else None


def udp_ports() -> list[int]:
    """Where something on this host listens, so also the catchers' sockets for answers."""
    lines = Path("/proc/net/udp").read_text().splitlines()[1:]
    return [int(line.split()[1].rpartition(":")[2], 16) for line in lines if line.split()[1].startswith("00000000:")]


def junk(stranger: Stranger) -> bytes:
    chance = stranger.chance
    return chance.randbytes(chance.choice((0, 1, 23, 24, 25, 40, 100, 1448, 9000, 60000)))


def forged(stranger: Stranger) -> bytes:
    """Right magic, version and session tag; all else made up."""
    chance = stranger.chance
    if not stranger.heard:
        return junk(stranger)
    real = chance.choice(stranger.heard)
    if len(real) < HEADER.size:
        return junk(stranger)
    fields = list(HEADER.unpack_from(real))
    for position in chance.sample([2, 3, 4, 5, 8, 9, 10, 11], chance.randrange(4)):
        width = (1, 1, 1, 1, 1, 1, 2, 4, 2, 2, 4, 4)[position]
        fields[position] = chance.choice((0, 1, (1 << 8 * width) - 1, chance.randrange(1 << 8 * width)))
    body = real[HEADER.size :]
    if chance.random() < 0.8:
        body = chance.randbytes(len(body))
    return HEADER.pack(*fields) + body[: chance.choice((len(body), 0, 8, 16, 100))]


def replayed(stranger: Stranger) -> bytes:
    return stranger.chance.choice(stranger.heard) if stranger.heard else b""


def bent(stranger: Stranger) -> bytes:
    """One bit of a real datagram is wrong."""
    datagram = bytearray(replayed(stranger))
    if datagram:
        bit = stranger.chance.randrange(len(datagram) * 8)
        datagram[bit >> 3] ^= 1 << (bit & 7)
    return bytes(datagram)


@pytest.mark.parametrize("seal", ["--encrypt", "--no-encrypt"])
@pytest.mark.parametrize("make", [junk, forged, replayed, bent])
def test_foreign_packets_are_ignored(site: Site, make: Callable[[Stranger], bytes], seal: str) -> None:
    print(f"seed {SEED}")
    build_awkward_tree(site.source, seed=3)
    (site.source / "big").write_bytes(os.urandom(6 * MEGABYTE))
    stranger = Stranger(site)
    with stranger.throwing(make):
        ended = site.sync("--rate", "8M", seal)
    assert stranger.thrown > 500
    assert (ended.status, ended.stderr) == (0, "")
    assert site.all_differences() == {}
    assert {target["state"] for target in ended.report["targets"].values()} == {"done"}


def test_packets_of_an_earlier_session_do_not_matter(site: Site) -> None:
    """The same key may be used again, by hand; here the group and port are the same."""
    build_awkward_tree(site.source, seed=4)
    earlier = Stranger(site)
    with earlier.throwing(lambda _: b""):
        assert site.sync("--rate", "8M").status == 0
    (site.source / "big").write_bytes(os.urandom(4 * MEGABYTE))
    stranger = Stranger(site)
    with stranger.throwing(lambda each: each.chance.choice(earlier.heard)):
        ended = site.sync("--rate", "8M")
    assert stranger.thrown > 100
    assert ended.status == 0
    assert site.all_differences() == {}


def test_a_session_on_the_next_port_does_not_matter(site: Site, tmp_path: Path) -> None:
    """One hears reports on the port of the other's data."""
    other = Site(tmp_path, ("x", "y"))
    other.group, other.port = site.group, site.port + 1
    for each in (site, other):
        each.source.mkdir()
        (each.source / "big").write_bytes(os.urandom(4 * MEGABYTE))
    runs = [each.start("--rate", "4M") for each in (site, other)]
    assert [run.wait().status for run in runs] == [0, 0]
    assert site.all_differences() == other.all_differences() == {}


def test_contents_of_linked_rule_files_are_not_quoted(site: Site) -> None:
    """As by `.rsync-filter -> /etc/shadow`, on either side."""
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


# users of a target who may write to a directory inside DEST, where root's run works


class Intruder:
    """Somebody else on target a, in a directory of theirs, as long as the context lasts; not root, not in this process.

    act: one action, called again and again with the directory and a source of chance; its failures do not matter.
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


def molest(place: Path, chance: random.Random) -> None:
    """Do something to what is staged or placed: take it away, swap it, put something else there."""
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


def make_prey(site: Site, *, files: int, size: int) -> bytes:
    """Programs with root's rights and secrets in `open`, which belongs to nobody; what is in the secrets."""
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
@pytest.mark.parametrize("options", [[], ["--commit", "each"], ["--backup"], ["--delta"]], ids=" ".join)
def test_writers_inside_the_destination_gain_nothing(site: Site, options: list[str]) -> None:
    print(f"seed {SEED}")
    secret = make_prey(site, files=40, size=200_000)
    for _ in range(2):
        with Intruder(site.dest("a") / "open", molest):
            run = site.start("--rate", "20M", "--delete", *options)
            catchers = run.catchers(3)
            assert run.wait().status in (0, 23, 24, 30)
            wait_until_gone(catchers, timeout_s=30)
        assert_nobody_gained(site, secret)
    assert site.differences("b") == [] or options == []


def make_loot(site: Site, *, files: int, size: int) -> bytes:
    """A directory of nobody's in the source, with secrets of root's beside their own files; what is in the secrets.

    All have one size and one time, as an attacker would see to it. The same names are in a directory that is closed.
    """
    secret = os.urandom(size)
    for folder, owner in (("open/sub", NOBODY), ("open", NOBODY), ("../vault", 0)):
        place = site.source / folder
        place.mkdir(parents=True, exist_ok=True)
        for number in range(files):
            is_root_s = owner == 0 or number % 2 == 0
            path = place / f"{number}"
            path.write_bytes(secret if is_root_s else os.urandom(size))
            path.chmod(0o600 if is_root_s else 0o644)
            os.chown(path, 0 if is_root_s else NOBODY, 0 if is_root_s else NOBODY)
            os.utime(path, ns=(0, 10**18))
        os.chown(place, owner, owner)
    (site.folder / "vault").chmod(0o755)
    return secret


def shuffle(place: Path, chance: random.Random) -> None:
    """Swap two names, or have a name lead to what is closed, for a moment."""
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
        [],
        ["--commit", "each", "--checksum"],
        ["--delta", "--xattrs", "--acls"],
        ["-L", "--no-partial"],
        ["--chmod", "F+X"],
    ],
    ids=" ".join,
)
def test_writers_inside_the_source_gain_nothing(site: Site, options: list[str]) -> None:
    """They may rename things there, and so put files that they cannot read in the place of others."""
    print(f"seed {SEED}")
    secret = make_loot(site, files=40, size=100_000)
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


LIAR = """#!/bin/sh
host=$1
shift
sh -c "$*" | while IFS= read -r line; do
    case $line in
        '{"ready"'*) cat "%s/$host" ;;
        *) printf '%%s\\n' "$line" ;;
    esac
done
"""


def test_no_address_that_a_target_says_stops_the_others(tmp_path: Path) -> None:
    """Nothing can be sent to some, and others are none."""
    said = ["127.0.0.1", "255.255.255.255", "127.0.0.1%nowhere", "127.0.0.1%\0", "\ud800"]
    site = Site(tmp_path, [f"host{number}" for number in range(len(said))])
    site.source.mkdir()
    (site.source / "file").write_bytes(os.urandom(MEGABYTE))
    for host, address in zip(site.hosts, said, strict=True):
        (tmp_path / host).write_text(json.dumps({"ready": True, "address": address, "port": 9}) + "\n")
    shell = tmp_path / "shell"
    shell.write_text(LIAR % tmp_path)
    shell.chmod(0o755)
    done = site.sync("-r", str(shell))
    assert done.status == 0, done
    assert site.all_differences() == {}


@needs_root
def test_swapping_files_of_a_killed_run_gains_nothing(site: Site) -> None:
    secret = make_prey(site, files=8, size=2_000_000)
    run = site.start("--rate", "4M")
    catchers = run.catchers(3)
    while sum(site.staged_sizes()) < 6_000_000:
        assert is_alive(run.pid)
    run.kill()
    run.wait()
    wait_until_gone(catchers, timeout_s=30)
    with Intruder(site.dest("a") / "open", molest):
        ended = site.sync()
    assert ended.status in (0, 23, 24, 30)
    assert_nobody_gained(site, secret)
    shutil.rmtree(site.dest("a") / "open")
    assert site.sync().status == 0
    assert site.all_differences() == {}


@needs_root
def test_a_forged_program_is_replaced_and_not_made_root_s(site: Site) -> None:
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
