"""Where new versions are written: --temp-dir, --inplace."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.waiting import HANG_S
from tests.unit.tree.syncing import small_file_system
from tests.whole.site import Ended, Site, write_files

SIZE = 2 << 20  # half a second


def test_every_target_stages_in_a_directory_of_its_own(site: Site) -> None:
    write_files(site.source, {"a": 100, "sub/b": 300_000})
    for host in site.hosts:
        (site.folder / f"temporary-{host}").mkdir()
    ended = site.sync("--temp-dir", "../../temporary-{host}", "--commit", "job")
    assert ended.status == 0, ended.stderr
    assert not any(site.all_differences().values())
    assert all(not list((site.folder / f"temporary-{host}").iterdir()) for host in site.hosts)


def test_a_directory_on_another_file_system_is_refused(site: Site) -> None:
    write_files(site.source, {"a": 100})
    with small_file_system(1 << 20) as other:
        ended = site.sync("--temp-dir", other)
        assert ended.status == 30
        assert f"--temp-dir {other} is on another file system than the destination" in ended.stderr
        assert list(other.iterdir()) == []
        for host in site.hosts:
            shutil.rmtree(site.dest(host), ignore_errors=True)
        foreseen = site.sync("-n", "--temp-dir", other)
        assert foreseen.status == 30
        assert f"--temp-dir {other} is on another file system than the destination" in foreseen.stderr
    assert not (site.dest("a") / "a").exists()


def test_old_versions_become_new_ones_in_place(site: Site) -> None:
    write_files(site.source, {"a": 400_000, "b": 10})
    assert site.sync().status == 0
    inodes = [os.stat(site.dest(host) / "a").st_ino for host in site.hosts]
    with open(site.source / "a", "r+b") as changed:
        changed.write(b"changed")
    ended = site.sync("--inplace", "--delta", "-i")
    assert ended.status == 0, ended.stderr
    assert "a,b,c: >f..t...... a" in ended.stdout.splitlines()
    assert not any(site.all_differences().values())
    assert [os.stat(site.dest(host) / "a").st_ino for host in site.hosts] == inodes
    assert all(ended.target(host)["bytes_written"] < 100_000 for host in site.hosts)


def overwrite_while_it_changes(site: Site, change: Callable[[Path], object]) -> Ended:
    """Cast a new version of `a` with --inplace, and change it when the first target has begun."""
    write_files(site.source, {"a": SIZE})
    assert site.sync().status == 0
    (site.source / "a").write_bytes(os.urandom(SIZE))
    run = site.start("--inplace", "--rate", "4M", "-v", 1)
    deadline = time.monotonic() + HANG_S
    while not any((site.dest(host) / "a").stat().st_size > SIZE for host in site.hosts):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    change(site.source / "a")
    return run.wait()


def test_a_file_that_changes_while_it_is_written_in_place_is_cast_once_more(site: Site) -> None:
    ended = overwrite_while_it_changes(site, lambda path: path.write_bytes(os.urandom(SIZE)))
    assert ended.status == 0, ended.stderr
    assert "while it was read; it will be sent again" in ended.stderr
    assert not any(site.all_differences().values())


def test_a_file_that_is_away_while_it_is_written_in_place_is_mended_by_the_next_run(site: Site) -> None:
    """When it is back, size and time are as they were."""
    ended = overwrite_while_it_changes(site, lambda path: path.rename(site.folder / "away"))
    assert ended.status == 24, ended.stderr
    assert all((site.dest(host) / "a").stat().st_size > SIZE for host in site.hosts)
    (site.folder / "away").rename(site.source / "a")
    assert site.sync("--inplace").status == 0
    assert not any(site.all_differences().values())


@pytest.mark.parametrize("other", [["--commit", "job"], ["--remove-first"]])
def test_inplace_excludes_options_that_need_old_versions(site: Site, other: list[str]) -> None:
    write_files(site.source, {"a": 1})
    ended = site.sync("--inplace", *other)
    assert ended.status == 1
    assert "--inplace cannot be combined with --commit end, --commit job or --remove-first" in ended.stderr
