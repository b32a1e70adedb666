"""Somebody else swaps directories and files below DEST while root syncs: nothing outside of it is read or changed."""

from __future__ import annotations

import os
import random
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from tests.whole.site import Site
from tests.whole.test_hostile_users import EVIL, NOBODY, SEED, Intruder, needs_root

FOLDERS = ("", "d", "d/e", "d/e/f", "g", "g/e")
SIZE = 60_000
OPTIONS = (
    *(("--backup",), ("--backup-dir", "bak"), ("--backup-dir", "open/g/bak"), ("--backup-dir", "SITE/bak-{host}")),
    *(("--temp-dir", "SITE/temporary"), ("--temp-dir", "open/g"), ("--inplace", "--backup"), ("--sparse",)),
    *(("--link-dest", "SITE/earlier"), ("--copy-dest", "open/g"), ("--compare-dest", "SITE/dest/{host}/open/g")),
    *(
        ("--delta", "--checksum"),
        ("--keep-dirlinks",),
        ("--keep-dirlinks", "--inplace", "--delta"),
        ("--commit", "job"),
    ),
    *(("--keep-dirlinks", "--backup", "--commit", "each"), ("--acls", "--xattrs", "--durable"), ("--preallocate",)),
)


def make_tree(top: Path, owner: int, seed: str) -> None:
    """Make files of one size; a third of them are alike in all trees."""
    for folder in FOLDERS:
        place = top / folder
        place.mkdir(parents=True, exist_ok=True)
        os.chown(place, owner, owner)
        for number in range(6):
            chance = random.Random(f"{folder} {number} {seed if number % 3 else ''}")
            path = place / str(number)
            path.write_bytes(chance.randbytes(SIZE))
            path.chmod(0o600 if number % 2 else 0o644)
            os.chown(path, owner, owner)
            os.utime(path, ns=(0, 10**18))


def swap(place: Path, chance: random.Random) -> None:
    """Put something else in the place of an entry anywhere below, mostly for a moment only."""
    time.sleep(chance.random() * 0.006)
    folder = place / chance.choice(FOLDERS)
    names = [name for name in os.listdir(folder) if not name.startswith("taken-")]
    victim = folder / chance.choice([name for name in names if name.startswith(".mrsync-")] or names)
    aside = folder / f"taken-{chance.randrange(1 << 30)}"
    vault = place.parents[2] / "vault"
    os.rename(victim, aside)
    way = chance.randrange(8)
    if way == 0:
        os.mkfifo(victim)
    elif way < 3:
        os.symlink(vault / victim.relative_to(place), victim)
    elif way == 3:
        os.symlink(os.path.relpath(vault / folder.relative_to(place), folder), victim)
    elif way == 4:
        os.symlink(chance.choice(("..", ".", "e", "/proc/self/root", "/dev/zero")), victim)
    elif way == 5:
        os.mkdir(victim, 0o777)
    elif way == 6:
        victim.write_bytes(EVIL)
    else:
        os.link(aside, victim)
    if chance.random() < 0.8:
        time.sleep(chance.random() * 0.002)
        for remove in (os.unlink, os.rmdir):
            with suppress(OSError):
                remove(victim)
        os.rename(aside, victim)


def regular_files(*tops: Path) -> Iterator[Path]:
    for top in tops:
        yield from (path for path in top.rglob("*") if stat.S_ISREG(path.lstat().st_mode))


def state_of(top: Path) -> dict[Path, tuple[os.stat_result, bytes]]:
    """Return all that is known of a tree, but for the times of reading."""
    found = {}
    for path in (top, *top.rglob("*")):
        status = path.lstat()
        data = path.read_bytes() if stat.S_ISREG(status.st_mode) else b""
        found[path] = (os.stat_result((*status[:7], 0, *status[8:10])), data)
    return found


@needs_root
def test_swapping_directories_reaches_nothing_outside(site: Site) -> None:
    options = [word.replace("SITE", str(site.folder)) for word in random.Random(SEED).choice(OPTIONS)]
    print(f"seed {SEED}: {options}")
    make_tree(site.source / "open", NOBODY, "new")
    make_tree(site.dest("a") / "open", NOBODY, "old")
    make_tree(site.folder / "earlier" / "open", 0, "new")
    make_tree(site.folder / "vault", 0, "secret")
    (site.folder / "temporary").mkdir()
    before = state_of(site.folder / "vault")
    known = {path.read_bytes() for path in regular_files(site.source, site.dest("a"))}
    secrets = {data for _, data in before.values() if data} - known
    with Intruder(site.dest("a") / "open", swap):
        for _ in range(2):
            ended = site.sync("--rate", "6M", "--delete", *options)
            if options[0] == "--temp-dir" and ended.target("a")["state"] == "refused":
                continue  # it was swapped away at that moment
            assert ended.status in (0, 23, 24), ended.stderr
            assert ended.target("a")["state"] in ("done", "partial"), ended.stderr
    assert state_of(site.folder / "vault") == before
    for path in regular_files(site.folder / "dest", *site.folder.glob("bak-*"), site.folder / "temporary"):
        assert path.read_bytes() not in secrets, f"{path} was outside of the destination"
