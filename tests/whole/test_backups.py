"""--backup, its options on every program, -X, and kills at any moment: what was overwritten is found."""

from __future__ import annotations

import os
import random
import re
import signal
import time
from pathlib import Path

import pytest

from tests.programs import program
from tests.support.waiting import HANG_S
from tests.whole.conftest import MakeSite
from tests.whole.site import MEGABYTE, Run, Site, wait_until_gone, write_files
from tests.whole.test_interruption import FILES, version_of, write_version
from tests.whole.test_resume import SEED, kill_at_some_moment, watched

KILLS = 4


def texts(tree: Path) -> dict[str, str]:
    """Of the files below, by path."""
    return {str(path.relative_to(tree)): path.read_text() for path in tree.rglob("*") if path.is_file()}


@pytest.fixture
def changed(site: Site) -> Site:
    """All targets are as the source was; since then a file changed, and another one went."""
    write_texts(site.source, {"dir/changed": "old", "gone": "old"})
    assert site.sync().status == 0
    write_texts(site.source, {"dir/changed": "newer"})
    (site.source / "gone").unlink()
    return site


def write_texts(tree: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(text)


def test_the_default_suffix_is_that_of_the_run_on_all_targets(changed: Site) -> None:
    before = time.localtime()
    assert changed.sync("--backup").status == 0
    after = time.localtime()
    stamps = {time.strftime("%m%d%H%M", moment) for moment in (before, after)}
    names = {name for host in changed.hosts for name in texts(changed.dest(host))}
    suffixes = {found[1] for name in names if (found := re.fullmatch(r".*?_mcast_bak(\d{8})", name))}
    assert len(suffixes) == 1
    assert suffixes <= stamps
    suffix = f"_mcast_bak{suffixes.pop()}"
    wanted = {"dir/changed": "newer", f"dir/changed{suffix}": "old", f"gone{suffix}": "old"}
    assert {host: texts(changed.dest(host)) for host in changed.hosts} == dict.fromkeys(changed.hosts, wanted)
    # The next run keeps them: with another suffix of this kind too, and counts nothing as changed.
    noop = changed.sync("--backup", "--suffix", "_mcast_bak01010000")
    assert (noop.status, noop.report["files_planned"], noop.target("a")["deleted"]) == (0, 0, 0)
    assert texts(changed.dest("a")) == wanted
    assert changed.sync().status == 0
    assert changed.all_differences() == {}


def test_a_directory_for_backups_takes_all(changed: Site) -> None:
    assert changed.sync("--backup-dir", "bak").status == 0
    wanted = {"dir/changed": "newer", "bak/dir/changed": "old", "bak/gone": "old"}
    assert {host: texts(changed.dest(host)) for host in changed.hosts} == dict.fromkeys(changed.hosts, wanted)
    assert changed.sync("--backup-dir", "bak").status == 0
    assert texts(changed.dest("c")) == wanted


def test_a_directory_elsewhere_may_have_the_name_of_the_host(changed: Site) -> None:
    place = changed.folder / "backups"
    assert changed.sync("--backup-dir", place / "{host}", "--suffix", ".old").status == 0
    assert changed.all_differences() == {}
    assert texts(place) == {f"{host}/{name}.old": "old" for host in changed.hosts for name in ("dir/changed", "gone")}


def test_only_matching_files_are_backed_up(changed: Site) -> None:
    (changed.folder / "patterns").write_text("dir/[[:alpha:]]+$\n\nnothing{2}\n")
    assert changed.sync("--backup-patterns", changed.folder / "patterns", "--suffix", "~").status == 0
    assert texts(changed.dest("b")) == {"dir/changed": "newer", "dir/changed~": "old"}


def test_multicaster_and_multicatcher_have_their_old_letters(make_site: MakeSite) -> None:
    site = make_site(("a", "b"))
    write_texts(site.source, {"dir/changed": "newer", "other": "newer"})
    for host in site.hosts:
        write_texts(site.dest(host), {"dir/changed": "old", "other": "old", "gone": "old"})
    (site.folder / "patterns").write_text("source/dir/\n")
    place = ("--insecure", "-A", site.group, "-P", site.port, "-I", "lo")
    catches = [
        Run(program("multicatcher", "-i", number, "-t", site.dest(host), *more, *place), site.folder / "none")
        for number, (host, more) in enumerate({"a": (), "b": ("-u", ".mine")}.items())
    ]
    cast = (
        "multicaster",
        "-m",
        "a,b",
        "-s",
        site.source,
        "-b",
        "-r",
        site.folder / "patterns",
        "-d",
        site.folder,
        "-L",
    )
    ended = Run(program(*cast, *place), site.folder / "none").wait()
    assert ended.status == 0, ended.stderr
    assert [catch.wait().status for catch in catches] == [0, 0]
    (ours,) = texts(site.dest("a")).keys() - {"dir/changed", "other"}
    assert re.fullmatch(r"dir/changed_mcast_bak\d{8}", ours)
    assert texts(site.dest("b")) == {"dir/changed": "newer", "other": "newer", "dir/changed.mine": "old"}


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        *(
            (
                ("-X", *other),
                "-X cannot be combined with --backup, --delta, --commit end or --commit job, which need the old files",
            )
            for other in (("--backup",), ("--backup-dir", "bak"), ("--delta",), ("--commit", "job"))
        ),
        (("--suffix", "~"), "--suffix and --backup-base are for backups: give --backup as well"),
        (("--backup", "--suffix", "a/b"), "--suffix 'a/b': give one without a slash, or --backup-dir"),
        (("--backup", "--suffix", ""), "--suffix '': give one without a slash, or --backup-dir"),
        (("--backup-dir", "./"), "--backup-dir ./ is DEST itself; for backups beside the files leave it out"),
        (
            ("--backup-dir", "/tmp/x"),
            "several targets on this host need {host} in --backup-dir, or their backups would mix",
        ),
        (("--backup-patterns", "/nowhere"), "cannot read the backup patterns /nowhere: No such file or directory"),
    ],
)
def test_refused_backup_options(site: Site, options: tuple[str, ...], sentence: str) -> None:
    site.source.mkdir()
    ended = site.sync(*options)
    assert ended.status == (11 if "nowhere" in sentence else 1)
    assert ended.stderr == f"mrsync: {sentence}\n"


@pytest.mark.parametrize(
    ("pattern", "sentence"),
    [
        ("ok\n(\\w", "line 2: a backslash before a letter, a digit or the end is not POSIX"),
        ("\n\n", "contains no pattern"),
    ],
)
def test_patterns_are_checked_before_anything_happens(site: Site, pattern: str, sentence: str) -> None:
    site.source.mkdir()
    (site.folder / "patterns").write_text(pattern)
    ended = site.sync("--backup-patterns", site.folder / "patterns")
    assert ended.status == 1
    assert ended.stderr.startswith(f"mrsync: {site.folder}/patterns")
    assert ended.stderr.endswith(f"{sentence}\n")


# -X


def test_an_almost_full_disk_takes_replacements_only_with_remove_first(crowded: Site) -> None:
    sizes = {name: 3 * MEGABYTE // 4 for name in ("one", "two")}
    write_files(crowded.source, sizes)
    assert crowded.sync().status == 0
    write_files(crowded.source, sizes)
    ended = crowded.sync("--no-partial")
    assert ended.status == 23
    assert {file["error"] for file in ended.target("c")["sat_out"]} == {"ENOSPC"}
    assert crowded.staged() == []
    ended = crowded.sync("-X")
    assert ended.status == 0, ended.stderr
    assert crowded.all_differences() == {}
    assert crowded.staged() == []


def test_a_run_with_remove_first_that_breaks_leaves_the_file_absent(site: Site) -> None:
    """As documented; the next run brings it."""
    write_files(site.source, {"big": 4 * MEGABYTE})
    assert site.sync().status == 0
    write_files(site.source, {"big": 4 * MEGABYTE})
    run = site.start("-X", "--rate", "4M", "-v", 2)
    catchers = run.catchers(3)
    run.wait_for("phase casting")
    deadline = time.monotonic() + HANG_S
    while any((site.dest(host) / "big").exists() for host in site.hosts):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    for pid in (*catchers, run.pid):
        os.kill(pid, signal.SIGKILL)
    run.wait()
    wait_until_gone(catchers)
    assert [(site.dest(host) / "big").exists() for host in site.hosts] == [False] * 3
    assert site.sync("-X").status == 0
    assert site.all_differences() == {}


# kills


def kept_versions(site: Site, host: str, number: int) -> set[int]:
    """Of one file, under all of its names, each of which must be whole."""
    folder = site.dest(host) / f"d{number % 4}"
    return {version_of(path) for path in folder.iterdir() if path.name.split(".")[0] == f"f{number}"}


def test_killed_at_any_moment_every_overwritten_version_is_found(make_site: MakeSite) -> None:
    print(f"MRSYNC_SEED={SEED}")
    chance = random.Random(SEED)
    site = make_site(("a", "b"))
    write_version(site.source, 1)
    assert site.sync().status == 0
    with watched(site):
        for turn in range(KILLS):
            write_version(site.source, 2 + turn)
            print(turn, kill_at_some_moment(site, chance, "--delete", "--backup", "--suffix", f".{turn}k"))
            ended = site.sync("--delete", "--backup", "--suffix", f".{turn}")
            assert ended.status == 0, ended.stderr
            assert site.staged() == []
            for host in site.hosts:
                for number in range(FILES):
                    assert version_of(site.dest(host) / f"d{number % 4}" / f"f{number}") == 2 + turn
                    assert kept_versions(site, host, number) == set(range(1, 3 + turn))
