"""Whole runs with --itemize-changes: the lines are rsync's, and a dry run changes nothing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.oracle import BASE_NS, add_specials, adorn_pair, build_pair, can_keep, items, rsync
from tests.trees import differences
from tests.whole.conftest import MakeSite
from tests.whole.site import Ended, Site
from tests.whole.test_exact import state

pytestmark = pytest.mark.skipif(shutil.which("rsync") is None, reason="needs rsync")


def told(ended: Ended, host: str) -> list[str]:
    """The lines of one target, sorted; what else is printed has no letters."""
    lines = [line.removeprefix(f"{host}: ") for line in ended.stdout.splitlines() if line.startswith(f"{host}: ")]
    return items("\n".join(lines))


def fill(site: Site, seed: int) -> None:
    build_pair(site.source, site.dest("n1"), seed)
    add_specials(site.source, site.dest("n1"), seed)
    subprocess.run(["cp", "-a", site.dest("n1"), site.dest("n2")], check=True)


def real_run_items(site: Site, dry: list[str]) -> list[str]:
    """Return what rsync lists in a real run to a copy of n1. dry: its list of a dry run.

    Only lines of further names of a file differ.
    """
    copy = site.dest("n1").with_name("copy")
    subprocess.run(["cp", "-a", site.dest("n1"), copy], check=True)
    links = [line for line in items(rsync(site.source, copy, "-i", "-D")) if line.startswith("hf")]
    return sorted([*(line for line in dry if not line.startswith("hf")), *links])


@pytest.fixture
def pair(make_site: MakeSite) -> Site:
    return make_site(("n1", "n2"))


def test_equal_changes_of_targets_are_folded(pair: Site) -> None:
    fill(pair, 1)
    expected = items(rsync(pair.source, pair.dest("n1"), "-ni", "-D"))
    before = {host: state(pair.dest(host)) for host in pair.hosts}
    dry = pair.sync("-ni", "-D")
    assert dry.status == 0
    assert told(dry, "n[1-2]") == expected
    assert {host: state(pair.dest(host)) for host in pair.hosts} == before
    expected_of_run = real_run_items(pair, expected)
    assert told(pair.sync("-i", "-D"), "n[1-2]") == expected_of_run
    assert differences(pair.dest("n1"), pair.dest("n2")) == []
    again = pair.sync("-i", "-D")
    assert told(again, "n[1-2]") == []


def test_different_changes_of_targets_are_listed_apart(pair: Site) -> None:
    fill(pair, 2)
    (pair.dest("n2") / "only here").touch()
    for name, text in (("n1", "same"), ("n2", "other")):
        (pair.dest(name) / "new").write_text(text)
        os.utime(pair.dest(name) / "new", ns=(0, BASE_NS))
    shutil.copy2(pair.dest("n1") / "new", pair.source / "new")
    both = {host: items(rsync(pair.source, pair.dest(host), "-ni", "--no-D")) for host in pair.hosts}
    ended = pair.sync("-ni")
    shared = told(ended, "n[1-2]")
    assert sorted(shared + told(ended, "n1")) == both["n1"]
    assert sorted(shared + told(ended, "n2")) == both["n2"]
    assert {"*deleting   only here", ">f.s....... new"} <= set(told(ended, "n2"))


def test_a_destination_that_does_not_exist_stays_so(pair: Site) -> None:
    fill(pair, 3)
    shutil.rmtree(pair.dest("n1"))
    shutil.rmtree(pair.dest("n2"))
    expected = items(rsync(pair.source, pair.dest("n1"), "-ni", "-D"))
    dry = pair.sync("-n", "-i", "-D")
    assert dry.status == 0
    assert told(dry, "n[1-2]") == expected
    assert not pair.dest("n1").exists()
    assert told(pair.sync("-i", "-D"), "n[1-2]") == told(dry, "n[1-2]")


def test_names_are_escaped_as_rsync_does_and_programs_read_json(pair: Site) -> None:
    pair.source.mkdir(exist_ok=True)
    for name in (b"new\nline", b"\xff", b"\\#123", b"tab\t", "sn\N{SNOWMAN}w".encode(), b"\\plain"):
        (Path(os.fsdecode(os.fsencode(pair.source) + b"/" + name))).touch()
    (pair.source / "link").symlink_to("else\nwhere")
    for host in pair.hosts:
        pair.dest(host).mkdir()
    expected = items(rsync(pair.source, pair.dest("n1"), "-ni"))
    assert told(pair.sync("-ni"), "n[1-2]") == expected
    ended = pair.sync("-ni", "--progress", "json")
    events = [json.loads(line) for line in ended.stdout.splitlines()]
    found = {event["path"]: event for event in events if event["event"] == "change"}
    assert found["new\nline"]["change"] == ">f+++++++++"
    assert found["link"]["leads_to"] == "else\nwhere"
    assert found["\udcff"]["targets"] == ["n1", "n2"]


@pytest.mark.parametrize("limit", [0, 3, 1000])
def test_deletions_stop_at_the_limit(pair: Site, limit: int) -> None:
    fill(pair, 4)
    shutil.rmtree(pair.source)
    pair.source.mkdir()
    expected = items(rsync(pair.source, pair.dest("n1"), "-ni", f"--max-delete={limit}", statuses=(0, 25)))
    entries = sum(len(names) + len(files) for _, names, files in os.walk(pair.dest("n1")))
    dry = pair.sync("-ni", f"--max-delete={limit}")
    ended = pair.sync("-i", f"--max-delete={limit}")
    assert ended.status == dry.status == (0 if limit == 1000 else 25)
    assert ("--max-delete" in ended.stderr) is (limit < 1000)
    for one in (dry, ended):
        assert len(told(one, "n[1-2]")) == len(expected)
    gone = min(limit, entries)
    for host in pair.hosts:
        assert sum(len(names) + len(files) for _, names, files in os.walk(pair.dest(host))) == entries - gone
        assert ended.target(host)["deleted"] == gone
        assert (ended.target(host)["deletions_skipped"] > 0) is (limit < 1000)


def test_all_that_can_be_kept_is_kept_through_a_whole_run(pair: Site) -> None:
    build_pair(pair.source, pair.dest("n1"), 5)
    if reason := can_keep(pair.source):
        pytest.skip(reason)
    adorn_pair(pair.source, pair.dest("n1"), 5, with_acls=True)
    add_specials(pair.source, pair.dest("n1"), 5)
    options = ("-i", "--xattrs", "--acls", "-D", "--checksum", "--sparse", "--numeric-ids")
    assert pair.sync(*options).status == 0
    for host in pair.hosts:
        assert differences(pair.source, pair.dest(host), with_attributes=True) == []
    again = pair.sync(*options)
    assert (again.report["files_planned"], told(again, "n[1-2]")) == (0, [])


def test_modes_and_owners_are_changed_on_the_way(pair: Site) -> None:
    build_pair(pair.source, pair.dest("n1"), 6)
    (pair.folder / "oracle").mkdir()
    options = ("--chmod=D755,F640", "--chown=1:2", "--ignore-times")
    rsync(pair.source, pair.folder / "oracle", *options)
    assert pair.sync(*options).status == 0
    for host in pair.hosts:
        assert differences(pair.folder / "oracle", pair.dest(host)) == []
