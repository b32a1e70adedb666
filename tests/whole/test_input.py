"""Everything a user can get wrong: one clear sentence on stderr, the exit status of the kind, and nothing done."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.programs import Argument, program
from tests.support.waiting import HANG_S
from tests.whole.screen import run_on_terminal
from tests.whole.site import LOOPBACK, Ended, Run, Site

NOBODY = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


class Mistake(NamedTuple):
    """Options that are wrong on top of good ones; {x} is replaced by what the site has."""

    options: tuple[str, ...]
    status: int
    sentence: str


MISTAKES = {
    "no such source": Mistake(("-s", "/no/such"), 3, "the source /no/such does not exist"),
    "source is a file": Mistake(("-s", "{file}"), 3, "the source {file} is not a directory"),
    "empty list": Mistake(("-m", ","), 1, "no target in ','"),
    "empty list file": Mistake(("-m", "{comments}"), 1, "no target in '{comments}'"),
    "no such list file": Mistake(
        ("-m", "./none"), 1, "cannot read the targets file ./none: No such file or directory"
    ),
    "unknown group": Mistake(
        ("-m", "@no-such-group"), 1, "unknown or empty group @no-such-group; docs/cli.md says how to define groups"
    ),
    "no host name": Mistake(("-m", "a,-oProxyCommand=x"), 1, "no host can have the name '-oProxyCommand=x'"),
    "group not multicast": Mistake(
        ("-A", "10.0.0.1"),
        1,
        "argument -A/--multicast-group/--group: '10.0.0.1' is not a multicast address"
        " (224.0.0.0 to 239.255.255.255, or ff00::/8) (see mrsync --help)",
    ),
    "group no address": Mistake(
        ("-A", "nonsense"),
        1,
        "argument -A/--multicast-group/--group: 'nonsense' is not a multicast address"
        " (224.0.0.0 to 239.255.255.255, or ff00::/8) (see mrsync --help)",
    ),
    "no port": Mistake(
        ("-P", "70000"), 1, "argument -P/--port: '70000' is not a port from 2 to 65535 (see mrsync --help)"
    ),
    "no such interface": Mistake(("-I", "nope0"), 10, "there is no interface nope0 here; there are .*"),
    "no rate": Mistake(
        ("--rate", "fast"),
        1,
        "argument --rate: 'fast' is not a rate: a number with K, M or G, such as 80M (see mrsync --help)",
    ),
    "no wait": Mistake(
        ("-w", "-1"),
        1,
        "argument -w/--ack-wait: '-1' is not a number of seconds above 0 and below a million "
        "(see mrsync --help)"
    ),
    "contradiction": Mistake(
        ("--encrypt", "--no-encrypt"),
        1,
        "argument --no-encrypt: not allowed with argument --encrypt (see mrsync --help)",
    ),
    "both forms": Mistake(
        ("{file}", "a:/there"), 1, "SOURCE TARGETS:DEST cannot be combined with -m, -s or -t"
    ),
    "one place for all": Mistake(
        ("-t", "/tmp/one place"),
        1,
        "several targets on this host need {{host}} in DEST, or they would all write to the same place",
    ),
    "target in source": Mistake(
        ("-t", "{source}/{{host}}"),
        1,
        "DEST on this host, {source}/a, and SOURCE must not contain one another",
    ),
    "no such option": Mistake(("--frobnicate",), 1, "there is no option --frobnicate (see mrsync --help)"),
    "no place for the report": Mistake(
        ("--report", "/no/report.json"), 11, "--report /no/report.json: cannot write in /no, which does not exist"
    ),
    "report of no known kind": Mistake(
        ("--report", "report.csv"), 1, "--report report.csv: only .json and .html can be written"
    ),
}  # fmt: skip


@pytest.fixture
def places(site: Site) -> dict[str, str]:
    """A good source, and things that are none."""
    site.source.mkdir()
    (site.source / "file").write_bytes(b"contents")
    comments = site.folder / "comments"
    comments.write_text("# nobody\n\n")
    return {"source": str(site.source), "file": str(site.source / "file"), "comments": str(comments)}


def sentence_of(status: int, stderr: str, name: str = "mrsync") -> str:
    assert status != 0
    lines = stderr.splitlines()
    assert len(lines) == 1, stderr
    assert lines[0].startswith(f"{name}: ")
    return lines[0].removeprefix(f"{name}: ")


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=list(MISTAKES))
def test_a_mistake_is_one_sentence(site: Site, places: dict[str, str], mistake: Mistake) -> None:
    ended = site.sync(*(option.format(host="{host}", **places) for option in mistake.options))
    sentence = sentence_of(ended.status, ended.stderr)
    expected = mistake.sentence.format(**places)
    assert sentence == expected or (expected.endswith(".*") and sentence.startswith(expected[:-2]))
    assert ended.status == mistake.status
    assert ended.stdout == ""
    assert list((site.folder / "dest").iterdir()) == []


def test_a_port_in_use_is_named(site: Site, places: dict[str, str]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind((LOOPBACK, site.port - 1))
        ended = site.sync()
    assert ended.status == 10
    sentence = sentence_of(ended.status, ended.stderr)
    assert sentence.startswith(f"{LOOPBACK} port {site.port - 1} is in use")


@needs_root
def test_a_source_that_may_not_be_read_is_named(site: Site, places: dict[str, str]) -> None:
    site.source.chmod(0o700)
    os.chown(site.folder, 65534, 65534)
    ended = site.sync(prefix=NOBODY)
    assert ended.status == 3
    assert sentence_of(ended.status, ended.stderr).endswith("Permission denied")
    assert places["source"] in ended.stderr
    assert list((site.folder / "dest").iterdir()) == []


def test_a_dest_that_is_a_file_is_that_targets_trouble_alone(site: Site, places: dict[str, str]) -> None:
    site.dest("b").write_bytes(b"in the way")
    ended = site.sync()
    assert ended.status == 23
    assert ended.stderr.splitlines()[-1] == "mrsync: not complete: b"
    assert ended.target("b")["state"] == "refused"
    assert (ended.stderr + ended.stdout).count(str(ended.target("b")["reason"])) == 1, "told once"
    assert "Not a directory" in ended.target("b")["reason"] or "is not a directory" in ended.target("b")["reason"]
    assert str(site.dest("b")) in ended.target("b")["reason"]
    assert site.dest("b").read_bytes() == b"in the way"
    assert site.differences("a") == site.differences("c") == []


def no_parent(dest: Path) -> None:
    dest.parent.rmdir()


def closed(dest: Path) -> None:
    dest.mkdir(mode=0o555)


def closed_above(dest: Path) -> None:
    dest.parent.chmod(0o555)


def a_file(dest: Path) -> None:
    dest.write_text("in the way")


@needs_root
@pytest.mark.parametrize("spoil", [no_parent, closed, closed_above, a_file])
def test_a_dry_run_refuses_the_dest_that_a_run_would_refuse(
    site: Site, places: dict[str, str], spoil: Callable[[Path], None]
) -> None:
    dest = site.folder / "theirs" / "b"
    dest.parent.mkdir()
    os.chown(site.folder, 65534, 65534)
    site.source.chmod(0o755)
    spoil(dest)
    reasons = []
    for options in (("-n",), ()):
        ended = site.sync(*options, "-m", "b", "-t", dest, prefix=NOBODY)
        assert ended.status == 30
        reasons.append(ended.stderr.splitlines()[0])
    assert reasons[0] == reasons[1]
    assert reasons[0].startswith("b: refused: ")


def lacking(ended: Ended, host: str) -> list[str]:
    """Return the names of the files for which a host has no room."""
    assert {file["error"] for file in ended.target(host)["sat_out"]} <= {"ENOSPC"}
    return [file["path"] for file in ended.target(host)["sat_out"]]


def test_a_dry_run_names_the_files_for_which_there_is_no_room(crowded: Site) -> None:
    crowded.source.mkdir()
    (crowded.source / "big").write_bytes(bytes(5 << 20))
    (crowded.source / "small").write_bytes(b"fits")
    for options in (("-n",), ("--commit", "each")):
        ended = crowded.sync(*options)
        assert (ended.status, ended.target("c")["state"], lacking(ended, "c")) == (23, "partial", ["big"])
    (crowded.source / "big").write_bytes(b"")
    for i in range(2000):
        (crowded.source / f"f{i}").touch()
    inodes = os.statvfs(crowded.dest("c")).f_ffree
    subprocess.run(["mount", "-o", "remount,nr_inodes=1000", crowded.dest("c")], check=True)
    assert inodes > 1000 or inodes == 0
    ended = crowded.sync("-n")
    assert len(lacking(ended, "c")) > 900
    assert ended.target("a")["state"] == "done"


def test_a_replaced_file_takes_room_until_the_new_one_is_complete(crowded: Site) -> None:
    crowded.source.mkdir()
    (crowded.source / "f").write_bytes(b"x" * (1 << 20))
    assert crowded.sync().status == 0
    (crowded.source / "f").write_bytes(b"y" * (1536 << 10))
    for options in (("-n",), ()):
        assert lacking(crowded.sync(*options), "c") == ["f"]
    for others in (("--inplace", "-n"), ("--inplace",)):
        assert crowded.sync(*others).status == 0


def test_when_no_dest_is_any_good_every_target_refused(site: Site, places: dict[str, str]) -> None:
    for host in site.hosts:
        site.dest(host).write_bytes(b"in the way")
    ended = site.sync()
    assert ended.status == 30
    assert ended.stderr.splitlines()[-1] == "mrsync: every target refused"
    assert {ended.target(host)["state"] for host in site.hosts} == {"refused"}


def test_a_dest_whose_parent_is_missing_is_named(site: Site, places: dict[str, str]) -> None:
    ended = site.sync("-t", site.folder / "no" / "{host}")
    assert ended.status == 30
    assert f"{site.folder}/no" in ended.target("a")["reason"]
    assert not (site.folder / "no").exists()


@needs_root
def test_a_read_only_dest_is_that_targets_trouble_alone(site: Site, places: dict[str, str]) -> None:
    site.dest("b").mkdir()
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", site.dest("b")], check=False)
    if mount.returncode:
        pytest.skip("cannot mount here")
    try:
        ended = site.sync()
    finally:
        subprocess.run(["umount", "-l", site.dest("b")], check=True)
    assert ended.status == 23
    assert "Read-only file system" in str(ended.target("b"))
    # Nobody changes a file that one cannot take, unless that one is out of the run.
    if ended.target("b")["state"] == "partial":
        assert "file" in str(ended.target("a")["sat_out"])
    else:
        assert site.differences("a") == site.differences("c") == []


@needs_root
def test_a_dest_without_permission_is_that_targets_trouble_alone(site: Site, places: dict[str, str]) -> None:
    for host in site.hosts:
        site.dest(host).mkdir()
        if host == "a":
            os.chown(site.dest(host), 65534, 65534)
    shutil.copytree(site.source, site.dest("c"), dirs_exist_ok=True)
    below = site.dest("c") / "below"
    shutil.copytree(site.source, below)
    shutil.copytree(below, site.source / "below")
    (below / "file").write_text("old")
    os.utime(site.dest("c"), ns=(0, site.source.stat().st_mtime_ns))
    for path in (below, *below.rglob("*")):
        os.chown(path, 65534, 65534)
    os.chown(site.folder, 65534, 65534)
    ended = site.sync(prefix=NOBODY)
    assert ended.status == 23
    assert "cannot write to the destination" in str(ended.target("b"))
    assert list(site.dest("b").iterdir()) == []
    assert ended.target("c")["state"] == "done"
    assert (below / "file").read_bytes() == (site.source / "file").read_bytes()


def by_hand(site: Site, name: str, *options: Argument) -> subprocess.CompletedProcess[str]:
    command = program(name, *options, "-A", site.group, "-P", site.port, "-I", "lo")
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=HANG_S)


@pytest.mark.parametrize("name", ["multicaster", "multicatcher"])
def test_a_key_file_must_be_private_long_enough_and_there(site: Site, places: dict[str, str], name: str) -> None:
    own = ("-m", "a", "-s", site.source) if name == "multicaster" else ("-i", 0, "-t", site.dest("a"))
    key = site.folder / "key"
    key.write_text("a secret of more than 16 bytes")
    key.chmod(0o640)
    done = by_hand(site, name, *own, "--key-file", key)
    assert done.returncode == 1
    assert sentence_of(1, done.stderr, name) == f"the key file {key} is open to others: chmod 600 {key}"
    key.chmod(0o600)
    key.write_text("short")
    done = by_hand(site, name, *own, "--key-file", key)
    assert done.returncode == 1
    assert sentence_of(1, done.stderr, name) == f"the key file {key} must hold 16 to 4096 bytes"
    key.unlink()
    done = by_hand(site, name, *own, "--key-file", key)
    assert done.returncode == 11
    assert sentence_of(11, done.stderr, name) == f"cannot read the key file {key}: No such file or directory"
    done = by_hand(site, name, *own)
    assert done.returncode == 1
    assert "one of the arguments --key-file --insecure is required" in sentence_of(1, done.stderr, name)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a network without interfaces")
def test_an_unknown_host_has_no_interface(site: Site, places: dict[str, str]) -> None:
    command = ["unshare", "--net"]  # where there is an interface, the host may have an address yet, and is waited for
    command += program("multicaster", "-m", "no-such-host.invalid", "-s", site.source, "--insecure", "-P", site.port)
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=HANG_S)
    assert done.returncode == 10
    assert "no-such-host.invalid" in sentence_of(10, done.stderr, "multicaster")


def key_file(folder: Path, text: str) -> Path:
    path = folder / text
    path.write_text(text * 10)
    path.chmod(0o600)
    return path


def test_a_catcher_on_a_terminal_says_how_long_it_waits(site: Site, places: dict[str, str]) -> None:
    place = ("--insecure", "-A", site.group, "-P", site.port, "-I", "lo")

    def interrupt(output: str, process: int) -> None:
        if output.endswith("\n"):
            os.kill(process, signal.SIGINT)

    status, output = run_on_terminal(
        program("multicatcher", "-i", 0, "-t", site.dest("a"), *place), on_output=interrupt
    )
    assert status == 20
    assert output.splitlines()[0] == "multicatcher: waiting for a master, for up to 60 minutes"
    assert "ready" not in output


def test_another_key_makes_a_target_unreachable_with_a_reason(site: Site, places: dict[str, str]) -> None:
    place = ("-A", site.group, "-P", site.port, "-I", "lo")
    catch = program("multicatcher", "-i", 0, "-t", site.dest("a"), "--key-file", key_file(site.folder, "one"), *place)
    cast = program(
        "multicaster", "-m", "a", "-s", site.source, "--key-file", key_file(site.folder, "other"), "-w", 4, *place
    )
    catcher = Run(catch, site.folder / "none")
    caster = Run(cast, site.folder / "none")
    ended = caster.wait()
    catcher.interrupt()
    caught = catcher.wait()
    assert ended.status == 5
    assert "Traceback" not in ended.stderr + caught.stderr
    assert caught.status == 20
    assert caught.stderr.splitlines() == [
        "multicatcher: packets come only from masters with another key",
        "multicatcher: aborted: stopped by SIGINT",
    ]
    assert not site.dest("a").exists()
