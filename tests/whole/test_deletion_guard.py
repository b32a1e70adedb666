"""A target that would lose most of what it has keeps all of it, and so do the others, unless the user insists."""

from __future__ import annotations

import os

import pytest

from tests.whole.site import Site, write_files

OLD = {f"old{number}": 1 for number in range(120)}


@pytest.fixture
def filled(site: Site) -> Site:
    """Target b has 120 files that the source lacks."""
    write_files(site.source, {"new": 10})
    for host in site.hosts:
        write_files(site.dest(host), OLD if host == "b" else {"other": 1})
    return site


@pytest.mark.parametrize("is_empty", [False, True])
def test_most_of_a_target_is_not_deleted_by_accident(filled: Site, is_empty: bool) -> None:
    if is_empty:
        (filled.source / "new").unlink()
    ended = filled.sync(*["--quiet"] * is_empty)  # which says as much of what is wrong
    assert bool(ended.stdout) != is_empty
    assert (ended.status, len(list(filled.dest("b").iterdir()))) == (25, 120)
    assert ended.stderr == (
        "a,c: partial, nothing was changed on any target\n"
        "mrsync: nothing was changed on any target: b refuses to delete 120 of 120 entries; if that is meant,"
        " give --delete or --max-delete\n"
    )
    assert [ended.target(host)["state"] for host in filled.hosts] == ["partial", "refused", "partial"]
    assert [path.name for path in filled.dest("a").iterdir()] == ["other"]  # nothing was changed anywhere


def test_a_few_entries_are_deleted_by_an_empty_source(site: Site) -> None:
    """Somebody has emptied it on purpose."""
    site.source.mkdir()
    for host in site.hosts:
        write_files(site.dest(host), {"one": 1, "two/three": 1})
    assert (site.sync().status, site.all_differences()) == (0, {})


def test_a_dry_run_lists_what_would_be_refused(filled: Site) -> None:
    ended = filled.sync("-n", "-i")
    assert (ended.status, ended.target("b")["deleted"], len(list(filled.dest("b").iterdir()))) == (25, 120, 120)
    assert "b: *deleting   old119\n" in ended.stdout
    assert ended.stderr == (
        "mrsync: without --dry-run, nothing would be changed on any target: most entries, or some of a home directory,"
        " would be deleted on b; if that is meant, give --delete or --max-delete\n"
    )


@pytest.mark.parametrize("home", ["a", "a/below"])
def test_a_home_directory_loses_nothing_by_accident(site: Site, monkeypatch: pytest.MonkeyPatch, home: str) -> None:
    """Whatever path names it or what is above it."""
    write_files(site.source, {"new": 10})
    write_files(site.dest("a"), {".ssh/authorized_keys": 1, "below/file": 1})
    monkeypatch.setenv("HOME", str(site.dest(home)))
    ended = site.sync()
    assert "a refuses to delete 4 of 4 entries of a home directory; if that is meant, give --delete" in ended.stderr
    assert (ended.status, sorted(os.listdir(site.dest("a")))) == (25, [".ssh", "below"])
    assert site.sync("--delete").status == 0


@pytest.mark.parametrize("option", ["--delete", "--max-delete=1000"])
def test_intended_deletions_are_done_and_counted(filled: Site, option: str) -> None:
    ended = filled.sync(option)
    assert (ended.status, filled.all_differences()) == (0, {})
    assert "1 to 120 deleted per target" in ended.stdout


def test_a_few_go_without_a_word_and_are_counted(site: Site) -> None:
    write_files(site.source, {"new": 10})
    for host in site.hosts:
        write_files(site.dest(host), {f"old{number}": 1 for number in range(54)})
    told = site.sync("-n")
    assert "54 would be deleted" in told.stdout
    assert "54 deleted" in site.sync().stdout
