"""Every option with rsync's name does what rsync does: the same trees, the same options, the same result."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from mrsync.cli.options import parse_mrsync
from tests.oracle import BASE_NS, SECOND_NS, build_pair, rsync
from tests.trees import differences
from tests.unit.tree.syncing import Outcome, sync

pytestmark = pytest.mark.skipif(shutil.which("rsync") is None, reason="needs rsync")

OPTIONS = (
    "",
    "-c",
    "--checksum --modify-window=1",
    "--checksum -u --modify-window=0",
    "--checksum --ignore-times",
    "--checksum --size-only",
    "--size-only",
    "--ignore-times",
    "--update --modify-window=0",
    "--update --modify-window=2",
    "--modify-window=0",
    "--modify-window=1",
    "--modify-window=4 --size-only",
    "--existing",
    "--existing --update --modify-window=0",
    "--no-hard-links",
    "--numeric-ids",
    "--chown=1:2",
    "--chown=daemon:bin",
    "--chown=:65534",
    "--chmod=Du+w,Fgo-rwx,D2755",
    "--chmod=a+rX --chmod=u=rwX,g-s",
    "--sparse",
)


def both(path: Path, *options: str) -> Outcome:
    """Sync source to dest with mrsync, to oracle with rsync."""
    rsync(path / "source", path / "oracle", *options)
    return own(path, *options)


def own(path: Path, *options: str) -> Outcome:
    settings, _ = parse_mrsync(["-m", "there", "-s", str(path / "source"), *options])
    return sync(path / "source", path / "dest", policy=settings.policy, selection=settings.selection)


def pair(path: Path, seed: int, *, least_ns: int = 1, swaps: bool = True) -> None:
    """source, and dest and oracle as copies of one another."""
    build_pair(path / "source", path / "dest", seed, least_ns=least_ns, swaps=swaps)
    subprocess.run(["cp", "-a", path / "dest", path / "oracle"], check=True)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("options", OPTIONS)
def test_the_result_is_that_of_rsync(tmp_path: Path, options: str, seed: int) -> None:
    pair(tmp_path, seed)
    outcome = both(tmp_path, *options.split())
    assert outcome.failures == []
    assert differences(tmp_path / "oracle", tmp_path / "dest") == []


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("options", ["-u", "--existing -u"])
def test_newer_is_newer_by_a_nanosecond(tmp_path: Path, options: str, seed: int) -> None:
    """rsync, told to compare times to the nanosecond, calls newer what is so by more than a second."""
    pair(tmp_path, seed, least_ns=SECOND_NS)
    rsync(tmp_path / "source", tmp_path / "oracle", "--modify-window=0", *options.split())
    assert own(tmp_path, *options.split()).failures == []
    assert differences(tmp_path / "oracle", tmp_path / "dest") == []
    (tmp_path / "source" / "new").write_text("new")
    (tmp_path / "dest" / "new").write_text("newer")
    for name, apart_ns in (("source", 0), ("dest", 1)):
        os.utime(tmp_path / name / "new", ns=(0, BASE_NS + apart_ns))
    own(tmp_path, *options.split())
    assert (tmp_path / "dest" / "new").read_text() == "newer"


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("options", ["--ignore-existing", "--existing --ignore-existing", "--ignore-existing -u"])
def test_what_exists_is_left_alone(tmp_path: Path, options: str, seed: int) -> None:
    pair(tmp_path, seed, swaps=False)
    assert both(tmp_path, *options.split()).failures == []
    assert differences(tmp_path / "oracle", tmp_path / "dest") == []


def test_a_directory_in_the_place_of_what_exists_is_told_and_left_out(tmp_path: Path) -> None:
    """rsync complains of each file below, deletes nothing any more, and gives the file the directory's time."""
    (tmp_path / "source" / "x" / "y").mkdir(parents=True)
    (tmp_path / "source" / "x" / "y" / "file").write_text("new")
    (tmp_path / "dest").mkdir()
    (tmp_path / "dest" / "x").write_text("old")
    before = (tmp_path / "dest" / "x").stat()
    outcome = own(tmp_path, "--ignore-existing")
    assert [(failure.errno, failure.path) for failure in outcome.failures] == [(errno.ENOTDIR, b"x")]
    assert (tmp_path / "dest" / "x").stat() == before


def test_times_of_directories_can_be_left(tmp_path: Path) -> None:
    pair(tmp_path, 1)
    both(tmp_path, "-O")
    for tree in ("oracle", "dest"):
        for path in [tmp_path / tree, *(tmp_path / tree).rglob("*")]:
            if path.is_dir() and not path.is_symlink():
                assert path.stat().st_mtime_ns > BASE_NS + 10**17 or tree == "dest"
                os.utime(path, ns=(0, 0))
    assert differences(tmp_path / "oracle", tmp_path / "dest") == []
    assert own(tmp_path, "-O").is_noop


def test_zeros_become_holes(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    contents = b"x" + bytes(900_000) + b"y" * 5000 + bytes(300_000) + b"z" + bytes(200_001)
    (tmp_path / "source" / "file").write_bytes(contents)
    (tmp_path / "source" / "zeros").write_bytes(bytes(500_000))
    for page_bytes in (997, 62_000):
        shutil.rmtree(tmp_path / "dest", ignore_errors=True)
        (tmp_path / "dest").mkdir()
        settings, _ = parse_mrsync(["-m", "there", "-s", str(tmp_path / "source"), "--sparse"])
        sync(tmp_path / "source", tmp_path / "dest", policy=settings.policy, page_bytes=page_bytes, seed=page_bytes)
        assert differences(tmp_path / "source", tmp_path / "dest") == []
    assert (tmp_path / "dest" / "file").stat().st_blocks * 512 < 40_000
    assert (tmp_path / "dest" / "zeros").stat().st_blocks == 0
