"""Whole runs of the real program: whatever the targets were like, they end exactly like the source."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

import pytest

from tests.support.workers import not_under_coverage
from tests.trees import build_awkward_tree
from tests.whole.conftest import MakeSite
from tests.whole.site import Site

STATE = tuple[bytes, int, int, int, int, int, int]


def state(tree: Path) -> list[STATE]:
    """All that changing anything in a tree would change, times of change included."""
    found = []
    for folder, folders, files, fd in os.fwalk(os.fsencode(tree)):
        for name in [b".", *folders, *files]:
            seen = os.stat(name, dir_fd=fd, follow_symlinks=False)
            what = (seen.st_mode, seen.st_uid, seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns)
            found.append((folder + b"/" + name, *what))
    return sorted(found)


def copy(source: Path, dest: Path) -> None:
    shutil.copytree(source, dest, symlinks=True)


def build_small_tree(path: Path) -> None:
    """Ten files in two directories, of 100 bytes each, and a link."""
    for folder in (path, path / "sub"):
        folder.mkdir()
        for i in range(5):
            (folder / f"f{i}").write_bytes(bytes([i]) * 100)
    (path / "link").symlink_to("f0")


def test_an_awkward_tree_arrives_and_the_second_run_casts_nothing(site: Site) -> None:
    build_awkward_tree(site.source, seed=1, file_count=400)
    first = site.sync()
    assert (first.status, first.stderr) == (0, "")
    assert site.all_differences() == {}
    assert site.staged() == []
    assert first.report["files_planned"] > 300
    assert first.report["pages"] > 10
    assert first.report["pages_sent"] >= first.report["pages"]
    assert first.report["bytes_sent"] > first.report["bytes_planned"]
    for host in site.hosts:
        target = first.target(host)
        assert (target["state"], target["reason"], target["sat_out"]) == ("done", None, [])
        assert target["files_updated"] == first.report["files_planned"]
        assert target["bytes_written"] == first.report["bytes_planned"]

    before = {host: state(site.dest(host)) for host in site.hosts}
    second = site.sync()
    assert (second.status, second.stderr) == (0, "")
    assert (second.report["files_planned"], second.report["pages_sent"]) == (0, 0)
    assert {host: state(site.dest(host)) for host in site.hosts} == before
    for host in site.hosts:
        target = second.target(host)
        assert (target["files_updated"], target["created"], target["mended"], target["deleted"]) == (0, 0, 0, 0)


def test_targets_that_each_differ_in_another_way_all_end_equal(make_site: MakeSite) -> None:
    site = make_site(("absent", "empty", "contents", "kinds", "extras", "metadata", "equal"))
    build_awkward_tree(site.source, seed=2, file_count=100)
    site.sync("-m", "contents,kinds,extras,metadata,equal")
    site.dest("empty").mkdir()

    sub_second = site.dest("contents") / "times" / "sub-second"
    sub_second.write_bytes(b"other contents")
    (site.dest("contents") / "links" / "z" / "leader").write_bytes(b"through one name of four")

    kinds = site.dest("kinds")
    shutil.rmtree(kinds / "sparse")
    (kinds / "sparse").symlink_to("/")
    (kinds / "links" / "soft file").unlink()
    (kinds / "links" / "soft file").mkdir()
    (kinds / "times" / "far").unlink()
    (kinds / "times" / "far").mkdir()
    (kinds / "times" / "far" / "below").write_bytes(b"in the way")
    shutil.rmtree(kinds / "directories" / "private")
    (kinds / "directories" / "private").write_bytes(b"a file where a directory belongs")

    extras = site.dest("extras")
    copy(extras / "random", extras / "random too")
    (extras / "links" / "one too many").symlink_to("nowhere")
    (extras / "links" / "a" / "fifth name").hardlink_to(extras / "links" / "z" / "leader")
    (extras / ".mrsync-0123456789abcdef-7").write_bytes(b"left behind by a run that was killed")

    metadata = site.dest("metadata")
    (metadata / "times" / "far").chmod(0o777)
    (metadata / "directories" / "setgid").chmod(0o700)
    os.utime(metadata / "names" / "plain", ns=(1, 1))
    os.utime(metadata / "directories", ns=(1, 1))
    os.utime(metadata / "times" / "far link", ns=(1, 1), follow_symlinks=False)

    untouched = state(site.dest("equal"))
    ended = site.sync()
    assert (ended.status, ended.stderr) == (0, "")
    assert site.all_differences() == {}
    assert site.staged() == []
    assert state(site.dest("equal")) == untouched
    assert ended.target("contents")["files_updated"] == 2
    assert ended.target("equal")["files_needed"] == ended.target("equal")["changes"] == 0
    assert ended.target("extras")["deleted"] >= 4
    assert ended.target("metadata")["mended"] >= 4
    assert site.sync().report["files_planned"] == 0


def test_no_delete_keeps_extraneous_entries(site: Site) -> None:
    build_small_tree(site.source)
    site.sync()
    (site.source / "f0").write_bytes(b"new")
    extra = site.dest("a") / "sub" / "extra"
    extra.write_bytes(b"mine")
    ended = site.sync("--no-delete")
    assert ended.status == 0
    assert site.differences("a") == ["extra: b'sub/extra'"]
    assert site.differences("b") == site.differences("c") == []
    assert extra.read_bytes() == b"mine"
    assert (site.sync().status, extra.exists()) == (0, False)


def test_a_dry_run_changes_nothing_and_lists_the_changes(site: Site) -> None:
    build_small_tree(site.source)
    site.sync("-m", "a,b")
    (site.dest("a") / "f1").unlink()
    (site.dest("a") / "extra").write_bytes(b"to go")
    (site.dest("b") / "sub" / "f2").write_bytes(b"short")
    before = state(site.folder / "dest")
    ended = site.sync("-n")
    assert ended.status == 0
    assert state(site.folder / "dest") == before
    assert not site.dest("c").exists()
    assert ended.report["dry_run"] is True
    assert [ended.target(host)["files_needed"] for host in site.hosts] == [1, 1, 10]
    assert [ended.target(host)["bytes_needed"] for host in site.hosts] == [100, 100, 1000]
    assert "10 files, 1 kB would be sent" in ended.stdout
    assert "a: 1 file, 100 B needed" in ended.stdout
    assert "c: 10 files, 1 kB needed" in ended.stdout


def test_a_file_of_more_than_4_gib_arrives_sparse(site: Site) -> None:
    site.source.mkdir()
    with open(site.source / "huge", "wb") as file:
        for offset in (0, (4 << 30) - 7, (4 << 30) + 123_456_789):
            file.seek(offset)
            file.write(os.urandom(100_000))
        file.truncate(5 << 30)
    assert site.sync().status == 0
    assert site.all_differences() == {}
    for host in site.hosts:
        assert (site.dest(host) / "huge").stat().st_blocks * 512 < 2 << 20


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
@not_under_coverage
def test_without_root_a_tree_of_ones_own_is_exact(site: Site) -> None:
    build_small_tree(site.source)
    for path in (site.folder, site.folder / "dest", site.source, *site.source.rglob("*")):
        os.chown(path, 65534, 65534, follow_symlinks=False)
    ended = site.sync(prefix=("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"))
    assert (ended.status, ended.stderr) == (0, "")
    assert site.all_differences() == {}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_unreadable_entries_are_reported_and_nothing_is_deleted(site: Site) -> None:
    """As rsync does: what is not seen in the source may be there all the same."""
    build_small_tree(site.source)
    (site.source / "locked").mkdir(mode=0o700)
    (site.source / "secret").write_bytes(b"not for everybody")
    (site.source / "secret").chmod(0o600)
    os.chown(site.folder / "dest", 65534, 65534)
    (site.dest("a")).mkdir()
    (site.dest("a") / "extra").write_bytes(b"stays")
    os.chown(site.dest("a"), 65534, 65534)
    os.chown(site.folder, 65534, 65534)
    ended = site.sync(prefix=("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"))
    assert ended.status in (23, 24)
    assert "locked" in ended.stderr
    assert "secret" in ended.stderr
    assert (site.dest("a") / "extra").exists()
    assert (site.dest("a") / "sub" / "f4").read_bytes() == bytes([4]) * 100
    assert stat.S_ISDIR((site.dest("b") / "locked").stat().st_mode)
