"""Every option with rsync's name does what rsync does: the same trees, the same options, the same result."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from mrsync.cli.settings.options import parse_mrsync
from tests.oracle import BASE_NS, SECOND_NS, add_specials, adorn_pair, build_pair, can_keep, rsync
from tests.trees import differences
from tests.unit.tree.syncing import Outcome, as_nobody, nobodys_directory, sync

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
    outcome = own(path, *options)
    distrust(path, outcome)
    rsync(path / "source", path / "oracle", *options)
    return outcome


def own(path: Path, *options: str) -> Outcome:
    settings, _ = parse_mrsync(["-m", "there", "-s", str(path / "source"), *options])
    return sync(path / "source", path / "dest", policy=settings.policy, selection=settings.selection)


def distrust(path: Path, outcome: Outcome) -> None:
    """Have rsync see that contents differ where mrsync looked at them because they might be forged."""
    manifest = outcome.manifest
    for entry in outcome.comparison.restaged:
        for each in (entry, *(member for member, leader in manifest.leaders.items() if leader == entry)):
            old = path / "oracle" / os.fsdecode(manifest.path(each))
            if old.is_file():
                old.unlink()
                old.write_bytes(b"other" if manifest.sizes[entry] != 5 else b"others")
                os.utime(old, ns=(0, 0))


def plain(options: list[str]) -> list[str]:
    """The names that rsync has for options of mrsync."""
    return [{"--xattrs": "-X", "--acls": "-A"}.get(option, option) for option in options]


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
    outcome = own(tmp_path, *options.split())
    assert outcome.failures == []
    distrust(tmp_path, outcome)
    rsync(tmp_path / "source", tmp_path / "oracle", "--modify-window=0", *options.split())
    assert differences(tmp_path / "oracle", tmp_path / "dest") == []
    (tmp_path / "source" / "new").write_text("new")
    (tmp_path / "dest" / "new").write_text("newer")
    for name, apart_ns in (("source", 0), ("dest", 1)):
        os.utime(tmp_path / name / "new", ns=(0, BASE_NS + apart_ns))
    own(tmp_path, *options.split())
    assert (tmp_path / "dest" / "new").read_text() == "newer"


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("options", ["--ignore-existing", "--existing --ignore-existing", "--ignore-existing -u"])
def test_existing_entries_are_left_alone(tmp_path: Path, options: str, seed: int) -> None:
    pair(tmp_path, seed, swaps=False)
    assert both(tmp_path, *options.split()).failures == []
    assert differences(tmp_path / "oracle", tmp_path / "dest") == []


def test_a_directory_in_the_place_of_an_existing_entry_is_reported_and_left_out(tmp_path: Path) -> None:
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


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("options", ["", "--devices", "--specials", "-D", "-D --existing", "-D --xattrs"])
def test_special_files_are_kept_as_by_rsync(tmp_path: Path, options: str, seed: int) -> None:
    for top in ("source", "dest"):
        (tmp_path / top).mkdir()
    add_specials(tmp_path / "source", tmp_path / "dest", seed)
    subprocess.run(["cp", "-a", tmp_path / "dest", tmp_path / "oracle"], check=True)
    outcome = own(tmp_path, *options.split())
    assert outcome.failures == []
    distrust(tmp_path, outcome)
    rsync(tmp_path / "source", tmp_path / "oracle", "--no-D", *plain(options.split()))
    assert differences(tmp_path / "oracle", tmp_path / "dest") == []
    assert own(tmp_path, *options.split()).is_noop


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "options",
    [
        "--xattrs",
        "--acls",
        "--xattrs --acls",
        "--xattrs --acls -D",
        "--acls --chmod=Fgo-rwx,Dg+w",
        "--xattrs --acls --size-only",
        "--xattrs --checksum --chown=1:1",
        "--xattrs --no-hard-links",
        "--acls --numeric-ids --existing",
    ],
)
def test_attributes_and_acls_are_kept_as_by_rsync(tmp_path: Path, options: str, seed: int) -> None:
    if reason := can_keep(tmp_path):
        pytest.skip(reason)
    build_pair(tmp_path / "source", tmp_path / "dest", seed, files=30)
    adorn_pair(tmp_path / "source", tmp_path / "dest", seed, with_acls="--acls" in options)
    subprocess.run(["cp", "-a", tmp_path / "dest", tmp_path / "oracle"], check=True)
    outcome = own(tmp_path, *options.split())
    assert outcome.failures == []
    distrust(tmp_path, outcome)
    rsync(tmp_path / "source", tmp_path / "oracle", "--no-D", *plain(options.split()))
    assert differences(tmp_path / "oracle", tmp_path / "dest", with_attributes=True) == []
    assert own(tmp_path, *options.split()).is_noop


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("options", ["", "-D --chmod=g+w", "--xattrs", "--acls --chmod=o+r", "--xattrs --acls -c -D"])
def test_result_without_root_equals_that_of_rsync(options: str, seed: int) -> None:
    def run(top: Path) -> None:
        if can_keep(top):
            return
        build_pair(top / "source", top / "dest", seed)
        adorn_pair(top / "source", top / "dest", seed, with_acls="--acls" in options)
        add_specials(top / "source", top / "dest", seed)
        subprocess.run(["cp", "-a", top / "dest", top / "oracle"], check=True)
        outcome = own(top, *options.split())
        assert outcome.failures == []
        distrust(top, outcome)
        rsync(top / "source", top / "oracle", "--no-D", *plain(options.split()))
        assert differences(top / "oracle", top / "dest", with_attributes=True) == []
        assert own(top, *options.split()).is_noop

    with nobodys_directory() as top:
        if reason := can_keep(top):
            pytest.skip(reason)
        as_nobody(lambda: run(top))


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root for attributes that others cannot keep")
def test_user_attributes_are_kept_without_root() -> None:
    def run(top: Path) -> None:
        assert own(top, "--xattrs").failures == []
        assert own(top, "--xattrs").is_noop
        assert os.listxattr(top / "dest" / "file") == ["user.one"]
        assert os.listxattr(top / "dest" / "locked") == ["user.one"]

    with nobodys_directory() as top:
        if reason := can_keep(top):
            pytest.skip(reason)
        (top / "source").mkdir()
        for name in ("file", "locked"):
            (top / "source" / name).write_text(name)
            for attribute in ("user.one", "trusted.one"):
                os.setxattr(top / "source" / name, attribute, b"1")
        (top / "source" / "locked").chmod(0o444)
        as_nobody(lambda: run(top))


def test_a_file_system_without_attributes_is_reported_once(tmp_path: Path) -> None:
    if reason := can_keep(tmp_path):
        pytest.skip(reason)
    build_pair(tmp_path / "source", tmp_path / "model", 1, files=20)
    adorn_pair(tmp_path / "source", tmp_path / "model", 1, with_acls=True)
    (tmp_path / "dest").mkdir()
    if os.system(f"mount -t ramfs mrsync-test {tmp_path / 'dest'} 2>/dev/null"):
        pytest.skip("needs the right to mount a ramfs")
    try:
        outcome = own(tmp_path, "--xattrs", "--acls")
        assert [(failure.errno, failure.action) for failure in outcome.failures] == [
            (errno.ENOTSUP, "set the extended attributes"),
            (errno.ENOTSUP, "set the ACL"),
        ]
        assert differences(tmp_path / "source", tmp_path / "dest") == []
    finally:
        os.system(f"umount {tmp_path / 'dest'}")


def test_unreadable_entries_are_left_alone(tmp_path: Path) -> None:
    """An attribute that the source keeps from us: said, nothing deleted, and the target's own stays."""

    def run(top: Path) -> None:
        for tree in ("source", "dest"):
            (top / tree).mkdir()
            (top / tree / "file").write_text("the same")
            os.setxattr(top / tree / "file", "user.one", tree.encode())
            os.utime(top / tree / "file", ns=(0, 0))
        (top / "source" / "file").chmod(0o200)
        (top / "dest" / "extra").touch()
        outcome = own(top, "--xattrs")
        assert [failure.sentence for failure in outcome.scan.errors] == [
            "cannot read the attributes of file: Permission denied"
        ]
        (top / "dest" / "file").chmod(0o600)
        assert os.getxattr(top / "dest" / "file", "user.one") == b"dest"
        assert (top / "dest" / "extra").exists()

    with nobodys_directory() as top:
        if reason := can_keep(top):
            pytest.skip(reason)
        as_nobody(lambda: run(top))


@pytest.mark.parametrize("options", ["", "--ignore-errors"])
def test_an_error_in_the_source_suppresses_deletion_unless_it_is_ignored(options: str) -> None:
    def run(top: Path) -> None:
        for tree in ("source/locked", "dest", "oracle"):
            (top / tree).mkdir(parents=True)
        (top / "source" / "locked").chmod(0)
        for tree in ("dest", "oracle"):
            (top / tree / "extra").touch()
        rsync(top / "source", top / "oracle", *options.split(), statuses=(23,))
        outcome = own(top, *options.split())
        assert [failure.path for failure in outcome.scan.errors] == [b"locked"]
        assert (top / "oracle" / "extra").exists() is (top / "dest" / "extra").exists() is (not options)
        (top / "source" / "locked").chmod(0o700)

    with nobodys_directory() as top:
        as_nobody(lambda: run(top))
