"""Only what is chosen is synced: patterns, synclists, and what the real rsync finds."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tests.awful import AwfulPair
from tests.oracle import items
from tests.oracle import rsync as real_rsync
from tests.programs import program
from tests.support.waiting import HANG_S
from tests.trees import differences
from tests.whole.conftest import MakeSite
from tests.whole.site import Run, Site, is_alive, wait_until_gone
from tests.whole.test_itemize import fill as fill_pair
from tests.whole.test_itemize import real_run_items, told
from tests.whole.test_resume import kill_master, start_and_wait, write_big

needs_rsync = pytest.mark.skipif(shutil.which("rsync") is None, reason="rsync is not installed")
FILES = ("a.c", "b.c", "a.h", ".x.c", "subs/foo1", "subs/bar", "sub2/path/12.ext", "sub2/path/1.ext", "whole/in/it")


@pytest.fixture
def filled(make_site: MakeSite) -> Site:
    """Two targets that are empty but for one extra file."""
    site = make_site(("a", "b"))
    for name in FILES:
        (site.source / name).parent.mkdir(parents=True, exist_ok=True)
        (site.source / name).write_text(name)
    for host in site.hosts:
        site.dest(host).mkdir()
        (site.dest(host) / "extra").touch()
    return site


def files(tree: Path) -> set[str]:
    return {str(path.relative_to(tree)) for path in tree.rglob("*") if not path.is_dir()}


def rsync(source: Path, dest: Path, *options: str) -> None:
    """What rsync makes of a tree, with times to the nanosecond."""
    subprocess.run(["rsync", "-aH", "--modify-window=-1", *options, f"{source}/", f"{dest}/"], check=True)


def test_patterns_as_in_the_readme_of_4_0_1(filled: Site) -> None:
    ended = filled.sync("-l", "*.c,subs/foo*,sub2/path/[0-9][0-9].ext,whole,no*", "-v", "1")
    assert ended.status == 0
    expected = {"a.c", "b.c", "subs/foo1", "sub2/path/12.ext", "whole/in/it", "extra"}
    assert {host: files(filled.dest(host)) for host in filled.hosts} == {"a": expected, "b": expected}
    assert ended.report["warnings"][0] == "nothing in the source matches no*"
    (filled.dest("a") / "a.c").write_text("c.a")
    status = (filled.source / "a.c").stat()
    os.utime(filled.dest("a") / "a.c", ns=(0, status.st_mtime_ns))
    assert filled.sync("-l", "a.c").report["bytes_planned"] == len("a.c")  # nothing is compared
    assert (filled.dest("a") / "a.c").read_text() == "a.c"


def test_patterns_from_a_file(filled: Site) -> None:
    (filled.folder / "patterns").write_text("# some\na.?\n\nsubs/*\n")
    assert filled.sync("-l", filled.folder / "patterns").status == 0
    assert files(filled.dest("b")) == {"a.c", "a.h", "subs/foo1", "subs/bar", "extra"}


@pytest.mark.parametrize(
    ("options", "status", "sentence"),
    [
        (["-l", "no*,nor_this"], 3, "nothing in the source matches 'no*', 'nor_this'"),
        (["-l", "a.c,../x"], 3, "'../x' is outside the source"),
        (["-l", "/no/such/file"], 3, "cannot read the patterns in /no/such/file (-l): No such file or directory"),
        (["-l", "a.c", "-o", "-H"], 1, "-l and --compare rsync cannot be given together"),
        (["-l", "a.c", "--checksum"], 1, "--checksum is about comparing; -l compares nothing here"),
        (["-l", "a.c", "--exclude", "b"], 1, "filter rules, sizes and --files-from cannot be given with -l"),
        (["-o", "-H", "--exclude", "b"], 1, "cannot be given with --compare rsync; give it to rsync with -o"),
        (["--compare", "none", "-u"], 1, "--update is about comparing"),
        (["--compare", "each", "-o", "-H"], 1, "-o implies --compare rsync, not each"),
        pytest.param(
            ["-o", "--remove-source-files"], 1, "-o --remove-source-files: it changes the source", marks=needs_rsync
        ),
        pytest.param(["-o", "/elsewhere"], 1, "is not an option; SOURCE and DEST are set by mrsync", marks=needs_rsync),
        pytest.param(
            ["-o", "--such-an-option"],
            1,
            "rsync does not understand: --such-an-option: unknown option",
            marks=needs_rsync,
        ),
        (["-o", "--size-only", "--chmod", "a+r"], 1, "--chmod and --chown cannot be given with --compare rsync"),
        (["--synclist", "/no/such/list"], 3, "cannot read the synclist /no/such/list: No such file or directory"),
    ],
)
def test_contradicting_options_give_one_sentence(filled: Site, options: list[str], status: int, sentence: str) -> None:
    ended = filled.sync(*options)
    assert ended.status == status
    assert sentence in ended.stderr.splitlines()[-1]
    assert files(filled.dest("a")) == {"extra"}


def test_send_all_compares_nothing_and_still_deletes(filled: Site) -> None:
    assert filled.sync().status == 0
    (filled.dest("a") / "another").touch()
    assert filled.sync().report["bytes_planned"] == 0
    (filled.dest("a") / "another").touch()
    ended = filled.sync("--compare", "none")
    assert ended.status == 0
    assert ended.report["bytes_planned"] == sum(len(name) for name in FILES)
    assert filled.all_differences() == {}


@pytest.fixture
def different(make_site: MakeSite) -> Site:
    """A source with awful names, and two targets that differ from it in the same many ways."""
    site = make_site(("a", "b"))
    (site.folder / "pair").mkdir()
    pair = AwfulPair(os.fsencode(site.folder / "pair"), 7)
    site.source = Path(os.fsdecode(pair.source))
    for host in site.hosts:
        copy(Path(os.fsdecode(pair.dest)), site.dest(host))
    return site


def copy(tree: Path, where: Path) -> None:
    subprocess.run(["cp", "-a", tree, where], check=True)


@needs_rsync
@pytest.mark.parametrize(
    "options",
    [
        "",
        "--exclude='*a*'",
        "--exclude='*a*' --delete-excluded",
        "--size-only",
        "-c",
        "-u",
        "--existing",
        "--ignore-existing",
        "--max-size=100",
        "-f 'P extra*'",
        "--ignore-times --no-whole-file",
    ],
)
def test_as_rsync_does_with_the_same_options(different: Site, options: str) -> None:
    expected = different.folder / "expected"
    copy(different.dest("a"), expected)
    rsync(different.source, expected, "--delete", *shlex.split(options))
    ended = different.sync("--compare", "rsync", *(["-o", options] if options else []))
    assert (ended.status, ended.stderr) == (0, "")
    for host in different.hosts:
        assert differences(expected, different.dest(host)) == []
    assert different.staged() == []
    again = different.sync("-o", options)
    if "ignore-times" not in options:
        assert (again.report["bytes_planned"], again.report["entries"]) == (0, 1)


@needs_rsync
@pytest.mark.parametrize("options", [["--commit", "each"], ["--commit", "job", "--delta"]], ids=" ".join)
def test_whatever_the_rule_of_commits(different: Site, options: list[str]) -> None:
    ended = different.sync("--compare", "rsync", *options)
    assert (ended.status, ended.stderr) == (0, "")
    assert different.all_differences() == {}
    assert different.staged() == []


@needs_rsync
def test_nothing_is_changed_in_a_dry_run(different: Site) -> None:
    before = different.folder / "before"
    copy(different.dest("a"), before)
    ended = different.sync("--compare", "rsync", "-n")
    assert ended.status == 0
    assert ended.report["targets"]["a"]["changes"] > 10
    assert differences(before, different.dest("a")) == []


@needs_rsync
def test_failures_of_rsync_are_reported(filled: Site) -> None:
    os.mkfifo(filled.source / "fifo\n")
    for host in filled.hosts:
        (filled.dest(host) / "a.c" / "in the way").mkdir(parents=True)
    ended = filled.sync("--compare", "rsync", "--no-delete")
    assert ended.status == 23
    assert "could not make way for new regular file: a.c" in ended.stderr
    assert 'mrsync: skipping non-regular file "fifo\\#012"' in ended.stderr.splitlines()
    assert files(filled.dest("b")) == {*FILES, "extra"} - {"a.c"}
    os.unlink(filled.source / "fifo\n")
    assert filled.sync("--compare", "rsync").status == 0
    assert filled.all_differences() == {}


@needs_rsync
@pytest.mark.parametrize("seed", range(2))
def test_changes_and_deletions_are_itemized_as_rsync_does(make_site: MakeSite, seed: int) -> None:
    site = make_site(("n1", "n2"))
    fill_pair(site, seed)
    expected = items(real_rsync(site.source, site.dest("n1"), "-ni", "-D"))
    dry = site.sync("-ni", "-D", "--compare", "rsync")
    assert told(dry, "n[1-2]") == expected
    expected_of_run = real_run_items(site, expected)
    done = site.sync("-i", "-D", "--compare", "rsync")
    assert told(done, "n[1-2]") == expected_of_run
    assert items(real_rsync(site.source, site.dest("n2"), "-ni", "-D")) == []


@needs_rsync
def test_deletions_are_limited(filled: Site) -> None:
    assert filled.sync().status == 0
    for name in ("x", "y"):
        (filled.dest("a") / name).touch()
        (filled.dest("b") / name).touch()
    ended = filled.sync("--compare", "rsync", "--max-delete", "1")
    assert ended.status == 25
    assert len(files(filled.dest("b")) & {"x", "y"}) == 1


@needs_rsync
def test_the_first_target_decides_what_all_get(filled: Site) -> None:
    assert filled.sync().status == 0
    (filled.dest("b") / "a.c").unlink()
    (filled.dest("b") / "only here").touch()
    (filled.source / "new").touch()
    assert filled.sync("--compare", "rsync").status == 0
    assert filled.differences("a") == []
    assert files(filled.dest("b")) == {*FILES, "new", "only here"} - {"a.c"}


@needs_rsync
def test_a_target_that_rsync_cannot_compare_is_passed_over(filled: Site) -> None:
    broken = filled.dest("a")
    shutil.rmtree(broken)
    broken.write_text("a file")
    ended = filled.sync("--compare", "rsync")
    assert ended.status == 23
    assert re.search("^a: cannot be compared by rsync: .*Not a directory|^a: cannot be compared", ended.stderr, re.M)
    assert filled.differences("b") == []
    shutil.rmtree(filled.dest("b"))
    filled.dest("b").write_text("another")
    ended = filled.sync("--compare", "rsync")
    assert ended.status == 3
    assert ended.stderr.splitlines()[-1].startswith("mrsync: no target could be compared by rsync: a: ")


def test_without_rsync_nothing_begins(filled: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(filled.folder))
    ended = filled.sync("--compare", "rsync")
    assert (ended.status, ended.stderr) == (3, "mrsync: there is no rsync on this host, which --compare rsync needs\n")


@needs_rsync
def test_an_interrupted_comparison_leaves_no_rsync(filled: Site) -> None:
    slow = filled.folder / "rsync"
    slow.write_text(f"#!/bin/sh\necho $$ > {filled.folder}/pid\nexec sleep 1000\n")
    slow.chmod(0o755)
    run = filled.start("--compare", "rsync", prefix=["env", f"PATH={filled.folder}:{os.environ['PATH']}"])
    pid = filled.folder / "pid"
    deadline = time.monotonic() + HANG_S
    while not (pid.exists() and pid.read_text().strip()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    run.interrupt()
    assert run.wait().status == 20
    assert not is_alive(int(pid.read_text()))


@needs_rsync
def test_a_synclist_from_the_real_rsync(different: Site) -> None:
    said = subprocess.run(
        ["rsync", "-avWHin", "--delete", "--modify-window=-1", f"{different.source}/", f"{different.dest('a')}/"],
        capture_output=True, check=True,
    )  # fmt: skip
    command = program("tr_filelist", "-", different.source)
    made = subprocess.run(command, input=said.stdout, capture_output=True, check=True)
    (different.folder / "list").write_bytes(made.stdout)
    ended = different.sync("--synclist", different.folder / "list")
    assert (ended.status, ended.stderr) == (0, "")
    assert different.all_differences() == {}


def test_a_bad_synclist_is_refused_with_its_line(filled: Site) -> None:
    (filled.folder / "list").write_text("file a.c\ndeleting ../../etc\n")
    ended = filled.sync("--synclist", filled.folder / "list")
    assert ended.status == 3
    assert ended.stderr == f"mrsync: {filled.folder}/list, line 2: '../../etc' has a '.' or '..' in it\n"
    assert files(filled.dest("a")) == {"extra"}


def test_multicaster_takes_a_synclist(filled: Site) -> None:
    (filled.folder / "list").write_text("file subs/bar\ndeleting extra\nfile gone\n")
    place = ("--insecure", "-A", filled.group, "-P", filled.port, "-I", "lo")
    catch = Run(program("multicatcher", "-i", 0, "-t", filled.dest("a"), *place), filled.folder / "none")
    cast = ("multicaster", "-m", "a", "-s", filled.source, "-f", filled.folder / "list", "-L", *place)
    ended = Run(program(*cast), filled.folder / "none").wait()
    assert ended.status == 23
    assert "cannot find gone: No such file or directory" in ended.stderr
    assert catch.wait().status == 0
    assert files(filled.dest("a")) == {"subs/bar"}


def test_a_sync_of_patterns_that_broke_is_taken_up(site: Site) -> None:
    write_big(site)
    run, catchers = start_and_wait(site, 0.5, "-l", "b*")
    kill_master(run, catchers)
    run.wait()
    wait_until_gone(catchers)
    ended = site.sync("-l", "b*")
    assert ended.status == 0
    assert 0 < ended.report["pages_sent"] <= 0.52 * ended.report["pages"]
    assert all(files(site.dest(host)) == {"big"} for host in site.hosts)
    assert (site.dest("a") / "big").read_bytes() == (site.source / "big").read_bytes()


def test_a_listed_file_that_changes_meanwhile_is_cast_once_more(site: Site) -> None:
    write_big(site)
    run, _ = start_and_wait(site, 0.2, "-l", "b*,small/1?")
    with open(site.source / "big", "ab") as file:
        file.write(b"more")
    ended = run.wait()
    assert ended.status == 0, ended.stderr
    assert (site.dest("c") / "big").read_bytes() == (site.source / "big").read_bytes()
    assert len(files(site.dest("c"))) == 11


def test_backups_are_kept_of_listed_changes_and_deletions(filled: Site) -> None:
    for host in filled.hosts:
        (filled.dest(host) / "a.c").write_text("old")
    (filled.folder / "list").write_text("file a.c\ndeleting extra\n")
    ended = filled.sync("--synclist", filled.folder / "list", "--backup", "--suffix", "~")
    assert (ended.status, ended.stderr) == (0, "")
    assert files(filled.dest("a")) == {"a.c", "a.c~", "extra~"}
    assert (filled.dest("b") / "a.c~").read_text() == "old"
    ended = filled.sync("-l", "a.c,b.c", "-X")
    assert ended.status == 0
    assert files(filled.dest("b")) == {"a.c", "b.c", "a.c~", "extra~"}
