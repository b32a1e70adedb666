"""mrsync verify, days after a sync: what it proves, and what it names."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from mrsync.tree.model.manifest import MAGIC as MANIFEST_MAGIC
from mrsync.tree.record.record import Record
from tests.programs import program
from tests.support.waiting import HANG_S
from tests.whole.conftest import MakeSite
from tests.whole.site import Site, write_files

KILO = 1000


class Verdict:
    """What `mrsync verify` says of a site."""

    def __init__(self, site: Site, *options: str) -> None:
        command = program("mrsync", "verify", "-r", "local", "-m", ",".join(site.hosts), "-t", site.dest("{host}"))
        said = subprocess.run([*command, *options], capture_output=True, text=True, timeout=HANG_S, check=False)
        self.lines = said.stdout.splitlines()
        self.status, self.stderr = said.returncode, said.stderr


def verify(site: Site) -> dict[str, Any]:
    """Return what it says of each host, as JSON."""
    fields: dict[str, Any] = json.loads("\n".join(Verdict(site, "--json").lines))["targets"]
    return fields


def found(site: Site, host: str = "a") -> list[tuple[str, str, int]]:
    """Return (kind, path, page) of the differences of a host."""
    return [(each["kind"], each["path"], each["page"]) for each in verify(site)[host]["differences"]]


def flip(path: Path, offset: int) -> None:
    """Flip a bit so that neither size nor time change."""
    status = path.stat()
    with path.open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 1]))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the directory of records."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "mrsync"


@pytest.fixture
def pair(make_site: MakeSite) -> Site:
    site = make_site(("a", "b"))
    write_files(site.source, {"big": 300 * KILO, "d/one": 100, "d/two": 5 * KILO, "d/three": 70 * KILO})
    (site.source / "empty").touch()
    return site


def test_equal_trees_are_one_line(pair: Site, state: Path) -> None:
    assert pair.sync().status == 0
    verdict = Verdict(pair)
    assert verdict.status == 0
    assert len(verdict.lines) == 1
    assert verdict.lines[0].startswith("a,b: equal to record ")
    assert "375 kB in 4 files proven" in verdict.lines[0]
    assert [path.stat().st_mode & 0o777 for path in (state, *state.iterdir())] == [0o700, 0o600, 0o600]
    assert Verdict(pair, "--quiet").lines == []
    (pair.dest("a") / "empty").unlink()
    assert json.loads(Verdict(pair, "--quiet", "--progress", "json").lines[-1])["event"] == "outcome"


def test_a_flipped_bit_is_named_by_file_and_page(pair: Site) -> None:
    assert pair.sync().status == 0
    for name, offset in (("big", 0), ("big", 200 * KILO), ("big", 300 * KILO - 1), ("d/two", 4999)):
        flip(pair.dest("a") / name, offset)
    assert found(pair) == [("contents", "big", page) for page in (0, 3, 4)] + [("contents", "d/two", 0)]
    verdict = Verdict(pair, "--quiet")
    assert verdict.status == 23
    assert "big has other contents in page 3 (bytes " in verdict.lines[0]
    assert verdict.lines[1].startswith("b: equal to ")
    assert "not as they were sent: a" in verdict.stderr


def test_differences_between_trees_are_named(pair: Site) -> None:
    assert pair.sync().status == 0
    tree = pair.dest("a")
    (tree / "d" / "one").unlink()
    (tree / "new").touch()
    (tree / "big").chmod(0o600)
    (tree / "d" / "two").write_bytes(b"")
    kinds = {path: kind for kind, path, _ in found(pair)}
    assert kinds["d/one"] == "missing"
    assert kinds["new"] == "extra"
    assert kinds["big"] == kinds["d/two"] == "changed"


@pytest.mark.parametrize(
    "options",
    [
        *(("--backup-dir", "old/of-{host}"), ("--backup-dir", "DEST/.old"), ("--copy-dest", "../other/{host}")),
        *(("--backup", "--delete-excluded"), ("--backup", "--suffix", ".o", "--delete-excluded")),
        ("--compare-dest", "../other/{host}"),
    ],
)
def test_entries_left_on_purpose_are_no_difference(pair: Site, options: tuple[str, ...]) -> None:
    """Backups in DEST stay, and what another directory has is absent, by the name of each target."""
    given = [option.replace("DEST", str(pair.dest("{host}"))) for option in options]
    for host in pair.hosts:
        shutil.copytree(pair.source, pair.dest(host).parent / "other" / host)
    assert pair.sync(*given).status == 0
    (pair.source / "d" / "one").write_bytes(b"new")
    (pair.source / "d" / "two").unlink()
    assert pair.sync(*given).status == 0
    assert Verdict(pair).lines[0].startswith("a,b: equal to record ")


def test_proofs_outlive_later_syncs_that_cast_other_files_of_the_same_page(pair: Site) -> None:
    assert pair.sync().status == 0
    write_files(pair.source, {"d/one": 120, "d/new": 33, "a-first": 10})
    assert pair.sync().status == 0
    assert all(host["verdict"]["unproven"] == 0 for host in verify(pair).values())
    flip(pair.dest("a") / "d" / "two", 17)
    assert found(pair) == [("contents", "d/two", 0)]


@pytest.mark.parametrize(
    "options", [("--delta",), ("-z", "--rate", "5M", "--sparse", "--commit", "job", "--no-encrypt")]
)
def test_blocks_that_were_not_sent_are_read_back(pair: Site, options: tuple[str, ...]) -> None:
    holes = pair.source / "holes"
    (pair.source / "text").write_bytes(b"it shrinks " * 30_000)
    with holes.open("wb") as file:
        file.seek(400 * KILO)
        file.write(os.urandom(50 * KILO))
        file.truncate(600 * KILO)
    assert pair.sync(*options).status == 0
    with (pair.source / "big").open("r+b") as file:
        file.seek(100 * KILO)
        file.write(b"changed")
    assert pair.sync(*options).status == 0
    assert all(host["is_equal"] and not host["verdict"]["unproven"] for host in verify(pair).values())
    flip(pair.dest("b") / "big", 290 * KILO)
    flip(pair.dest("b") / "holes", 420 * KILO)
    assert {path for _, path, _ in found(pair, "b")} == {"big", "holes"}


def test_without_a_place_for_records_verify_says_which(pair: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/proc/sys/none")  # even root makes nothing there
    assert pair.sync().status == 0
    assert (
        Verdict(pair).lines[0].startswith("a,b: no record of a sync can be kept: this user cannot write to /proc/sys; ")
    )


def test_files_that_were_there_before_are_known_by_size_and_time_only(pair: Site) -> None:
    shutil.copytree(pair.source, pair.dest("a"), copy_function=shutil.copy2)
    (pair.dest("a") / "d" / "one").unlink()
    assert pair.sync().status == 0
    assert "3 files known by size and time only" in Verdict(pair).lines[0]


def test_excluded_files_are_unproven_until_they_are_cast(pair: Site) -> None:
    for options, files in (
        ("", "4 files proven"),
        ("--exclude big", "3 files proven"),
        ("", "3 files proven, 1 file known by size and time only"),
        ("--ignore-times", "4 files proven (synced"),
    ):
        assert pair.sync(*options.split()).status == 0
        assert files in Verdict(pair).lines[0]


def test_files_compared_by_digests_are_proven_by_them(pair: Site) -> None:
    shutil.copytree(pair.source, pair.dest("a"), copy_function=shutil.copy2)
    for options in ("--checksum", "", "--checksum"):  # what one sync has proven, the next one knows
        assert pair.sync(*options.split()).status == 0
        assert "4 files proven (synced" in Verdict(pair).lines[0]
    big = pair.dest("a") / "big"
    kept = big.stat()
    with big.open("r+b") as file:
        file.seek(kept.st_size // 2)
        file.write(b"!")
    os.utime(big, ns=(kept.st_atime_ns, kept.st_mtime_ns))
    assert "big has other contents in some place (it was compared by one digest)" in Verdict(pair).lines[0]


def test_files_of_another_program_are_proven_by_digests_not_by_older_proofs(pair: Site) -> None:
    assert pair.sync().status == 0
    for tree in (pair.source, *map(pair.dest, pair.hosts)):
        path = tree / "d" / "one"
        kept = path.stat()
        path.write_bytes(bytes(byte ^ 1 for byte in path.read_bytes()))
        os.utime(path, ns=(kept.st_atime_ns, kept.st_mtime_ns))
    assert pair.sync("--checksum").status == 0
    assert "4 files proven (synced" in Verdict(pair).lines[0]


def test_files_that_options_left_alone_are_not_proven_by_digests(pair: Site) -> None:
    shutil.copytree(pair.source, pair.dest("a"), copy_function=shutil.copy2)
    newer = pair.dest("a") / "d" / "one"
    newer.write_bytes(b"newer")
    assert pair.sync("--checksum", "--update").status == 0
    assert newer.read_bytes() == b"newer"
    assert "has other contents" not in Verdict(pair).lines[0]


def test_without_a_usable_record_nothing_is_proven(pair: Site, state: Path) -> None:
    assert Verdict(pair).lines == [f"a,b: cannot read the destination {pair.dest('{host}')}: No such file or directory"]
    for host in pair.hosts:
        pair.dest(host).mkdir()
    assert any(line.startswith("a,b: no record of a sync is kept for this user here; ") for line in Verdict(pair).lines)
    assert pair.sync().status == 0
    for record in state.iterdir():
        os.truncate(record, record.stat().st_size // 2)
    told = " ".join(Verdict(pair).lines)
    for record in state.iterdir():
        assert f"the record of the last sync is damaged: it ends early; remove {record} there and sync again" in told
    (pair.source / "d/one").write_bytes(b"changed")
    assert pair.sync().status == 0
    for record in state.iterdir():
        line, _, encoded = record.read_bytes().partition(b"\n")
        old = Record.decode(encoded)
        older = Record(MANIFEST_MAGIC[:-1] + b"\x01" + old.manifest[len(MANIFEST_MAGIC) :], old.session)
        assert older.manifest != old.manifest
        record.write_bytes(b"%b\n%b" % (line, b"".join(older.parts())))
    told = " ".join(Verdict(pair).lines)
    for record in state.iterdir():
        assert re.search(f"in the record of the last sync the manifest .*; remove {record} there and sync again", told)
    (pair.source / "d/one").write_bytes(b"changed again")
    assert pair.sync().status == 0
    assert Verdict(pair).status == 0
    state.chmod(0o777)
    verdict = Verdict(pair)
    assert verdict.status == 23
    assert "others may write to it" in verdict.lines[0]


def test_a_target_that_missed_the_last_sync_is_named(pair: Site) -> None:
    assert pair.sync().status == 0
    pair.hosts = ("a",)
    assert pair.sync("--no-delete").status == 0  # another run, and the same tree
    pair.hosts = ("a", "b")
    verdict = Verdict(pair)
    assert (verdict.status, verdict.stderr) == (0, "")
    assert ": last synced by another run than the others, with the same tree" in verdict.lines[-1]
    write_files(pair.source, {"more": 100})
    for hosts in (("a",), ("a", "b", "c")):
        pair.hosts = hosts
        if len(hosts) == 1:
            assert pair.sync().status == 0
    pair.hosts = ("a", "b")
    verdict = Verdict(pair)
    assert verdict.status == 23
    assert "last synced by another run than the others, with another tree" in verdict.stderr


def test_records_inside_of_trees_are_left_alone(pair: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(pair.dest("a") / "var" / "lib"))
    assert pair.sync().status == 0
    assert pair.sync().status == 0
    assert len(list((pair.dest("a") / "var" / "lib" / "mrsync").iterdir())) == 2
    monkeypatch.setenv("XDG_STATE_HOME", str(pair.source))
    assert pair.sync().status == 0
    assert len(list((pair.source / "mrsync").iterdir())) == 2
    assert not (pair.dest("b") / "mrsync").exists()


def test_contents_behind_kept_links_are_proven(make_site: MakeSite) -> None:
    site = make_site("a")
    (site.source / "l").mkdir(parents=True)
    (site.source / "l/file").write_bytes(os.urandom(100 * KILO))
    (site.dest("a") / "real").mkdir(parents=True)
    (site.dest("a") / "l").symlink_to("real")
    assert site.sync("--keep-dirlinks").status == 0
    assert verify(site)["a"]["verdict"]["bytes"] == 100 * KILO
    flip(site.dest("a") / "real/file", 50 * KILO)
    assert [each[:2] for each in found(site)] == [("contents", "l/file")]
