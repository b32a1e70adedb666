"""Whole syncs over a real OpenSSH server: nothing installed on the targets, nothing left there, no secret in sight."""

from __future__ import annotations

import os
import shutil
import signal
import threading
from pathlib import Path

import pytest

from tests.loopback.interpreters import MINORS, find_interpreter
from tests.remote.conftest import MakeEstate
from tests.remote.estate import SECRET, Estate
from tests.trees import build_awkward_tree

pytestmark = pytest.mark.netns

LARGE_FILES = 30_000  # to be read before a comparison can be over
NO_PYTHON = "there is no python3; install Python 3.9 or later there, or name one with --remote-python"
REFUSED = "Connection refused; does sshd run there, on this port?"
POOR_SEAL = "pages are authenticated but not encrypted: the Python package cryptography is missing or broken on "


def exposures_during(estate: Estate, run_status: list[int], *options: str) -> list[str]:
    """Sync, and search for the secret all the while."""
    run = estate.start("-v", "2", *options)
    found: list[str] = []
    looks = 0
    waiting = threading.Thread(target=lambda: run_status.append(run.wait()))
    waiting.start()
    while waiting.is_alive():
        found += estate.exposures()
        looks += 1
    waiting.join()
    print(run.output, f"{looks} looks")
    assert looks > 3
    if SECRET.hex() in run.output:
        found.append("output")
    return found + estate.exposures()


@pytest.mark.parametrize("target_count", [1, 3])
def test_trees_become_equal_and_nothing_is_left(make_estate: MakeEstate, target_count: int) -> None:
    estate = make_estate(target_count)
    build_awkward_tree(estate.source, seed=target_count)
    estate.serve_all()
    status: list[int] = []
    assert exposures_during(estate, status) == []
    assert status == [0]
    assert estate.differences() == {}
    assert estate.processes() == {}
    assert [path for path in estate.folder.glob("t*/home/*")] == []
    assert estate.report()["warnings"] == []  # encrypted


def test_8_targets_at_once(make_estate: MakeEstate) -> None:
    """How soon they are under way is a figure of `./run bench start`."""
    estate = make_estate(8)
    build_awkward_tree(estate.source, seed=16)
    estate.serve_all()
    assert estate.sync() == 0
    assert estate.differences() == {}
    assert estate.processes() == {}


def test_every_trouble_is_named_and_the_others_finish(make_estate: MakeEstate) -> None:
    old = find_interpreter(8)
    kinds = ["good", "wrong key", "refused", "hang", "no python", "banner", *(["old"] if old else [])]
    estate = make_estate(len(kinds))
    build_awkward_tree(estate.source, seed=5)
    hosts = dict(zip(kinds, estate.lab.targets, strict=True))
    estate.serve(hosts["good"])
    estate.serve(hosts["wrong key"], host_key="other")
    estate.hang(hosts["hang"])
    estate.serve(hosts["no python"], python=None)
    estate.serve(hosts["banner"], shell="/bin/bash", banner="Authorised use only!\n")
    (estate.home(hosts["banner"]) / ".bashrc").write_text("echo Welcome to this host; printf '{\"ready\"'; stty -a\n")
    if old:
        estate.serve(hosts["old"], python=old)
    assert estate.sync("--connect-timeout", "4", "-v", "1") == 23
    assert estate.differences([hosts["good"], hosts["banner"]]) == {}
    expected = {
        "wrong key": "its host key has changed: Host key verification failed",
        "refused": REFUSED,
        "hang": "Connection timed out during banner exchange",
        "no python": NO_PYTHON,
        "old": "Python 3.8",
    }
    reasons = estate.reasons()
    assert set(reasons) == {hosts[kind].name for kind in expected if kind in hosts}
    for kind, sentence in expected.items():
        if kind in hosts:
            assert sentence in str(reasons[hosts[kind].name])
    assert estate.processes() == {}
    if old is None:
        pytest.skip("all but this was held: there is no Python 3.8 on this machine")


@pytest.mark.parametrize("shell", ["bash", "csh", "tcsh", "fish", "zsh", "ksh"])
def test_login_shells(make_estate: MakeEstate, shell: str) -> None:
    path = shutil.which(shell)
    if path is None:
        pytest.skip(f"{shell} is not installed")
    estate = make_estate(2)
    build_awkward_tree(estate.source, seed=6)
    estate.serve(estate.lab.targets[0], shell=path)
    estate.serve(estate.lab.targets[1], shell=path, python=None)
    assert estate.sync() == 23
    assert estate.differences(estate.lab.targets[:1]) == {}
    assert estate.reasons() == {"t2": NO_PYTHON}


def test_equal_reasons_are_folded_and_status_is_5_if_none_could_start(make_estate: MakeEstate) -> None:
    estate = make_estate(3)
    build_awkward_tree(estate.source, seed=7)
    run = estate.start()
    assert run.wait() == 5
    assert f"t[1-3]: unreachable: {REFUSED}" in run.output.splitlines()
    assert run.output.splitlines()[-1] == "mrsync: no target could be reached"  # why was told in the line before


def alias_all(estate: Estate, word: str) -> str:
    """Give every target a name that only ssh's configuration knows; TARGETS of them."""
    aliases = {f"{word}{number}": host for number, host in enumerate(estate.lab.targets, 1)}
    lines = [
        f"Host {alias}\n  HostName {host.address}\n  HostKeyAlias {host.name}\n"
        "  LocalForward 5555 localhost:5555\n  ExitOnForwardFailure yes\n"
        for alias, host in aliases.items()
    ]
    configuration = estate.keys / "config"
    configuration.write_text("".join(lines) + configuration.read_text())
    return ",".join(aliases)


def test_names_that_only_ssh_knows(make_estate: MakeEstate) -> None:
    """The master has a second interface, so that there is a choice; one name is known to nobody.

    They also have a forwarding, which only one session at a time could have.
    """
    estate = make_estate(2)
    build_awkward_tree(estate.source, seed=10)
    estate.serve_all()
    for words in ("link add other type dummy", "link set other up multicast on", "addr add 10.99.0.1/16 dev other"):
        estate.lab.master.run("ip", *words.split())
    targets = alias_all(estate, "alias")
    assert estate.sync(targets=targets) == 0
    assert estate.differences() == {}
    assert estate.sync(targets=f"{targets},nobody-knows-me") == 23
    assert set(estate.reasons()) == {"nobody-knows-me"}


def test_targets_with_and_without_cryptography(make_estate: MakeEstate) -> None:
    estate = make_estate(3)
    build_awkward_tree(estate.source, seed=8)
    estate.serve_all(estate.lab.targets[:2])
    estate.serve(estate.lab.targets[2], options="-S")
    assert estate.sync("--encrypt") == 23
    assert estate.reasons() == {"t3": "cannot decrypt AES-256-GCM: python3-cryptography is missing or broken there"}
    assert estate.sync() == 0
    (warning,) = estate.report()["warnings"]
    assert warning.startswith(POOR_SEAL + "t3; install")
    assert estate.differences() == {}


def test_a_catcher_runs_on_every_python(make_estate: MakeEstate) -> None:
    found = {minor: path for minor in MINORS if (path := find_interpreter(minor)) is not None}
    estate = make_estate(len(found))
    build_awkward_tree(estate.source, seed=9)
    for host, python in zip(estate.lab.targets, found.values(), strict=True):
        estate.serve(host, python=python, options="-W error")
    assert estate.sync() == 0
    assert estate.differences() == {}
    print("tried:", ", ".join(f"3.{minor}" for minor in found))
    if missing := [f"3.{minor}" for minor in MINORS if minor not in found]:
        pytest.skip(f"the others were tried; not on this machine: {', '.join(missing)}")


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 20), (signal.SIGTERM, 20)]
)
def test_nothing_is_left_after_any_end_of_the_master(
    make_estate: MakeEstate, number: signal.Signals, status: int
) -> None:
    estate = make_estate(3)
    estate.source.mkdir()
    (estate.source / "big").write_bytes(bytes(range(256)) * (64 << 12))
    estate.serve_all(estate.lab.targets[:2])
    estate.hang(estate.lab.targets[2])
    run = estate.start("-v", "2", "--rate", "10M", "--connect-timeout", "3", "--no-partial")
    run.wait_for("phase casting")
    run.signal(number)
    assert run.wait() == status
    estate.await_silence(30)
    for host in estate.lab.targets[:2]:
        assert list(estate.tree(host).iterdir()) == []


def test_run_after_a_killed_master_resumes_over_ssh(make_estate: MakeEstate) -> None:
    estate = make_estate(2)
    estate.source.mkdir()
    (estate.source / "big").write_bytes(bytes(range(256)) * (64 << 12))
    estate.serve_all()
    run = estate.start("--rate", "8M", "--progress", "json")
    run.wait_for('"bytes_done": [1-9].*"bytes_done": [1-9]')  # both targets hold the first page
    run.signal(signal.SIGKILL)
    assert run.wait() == -signal.SIGKILL
    estate.await_silence(30)
    assert estate.sync() == 0
    assert estate.differences() == {}
    report = estate.report()
    assert 0 < report["pages_sent"] < report["pages"]


def test_a_catcher_that_was_stopped_cleans_up_when_it_runs_on(make_estate: MakeEstate) -> None:
    """The master does not wait for it."""
    estate = make_estate(2)
    estate.source.mkdir()
    (estate.source / "big").write_bytes(bytes(range(256)) * (24 << 12))
    estate.serve_all()
    run = estate.start("-v", "2", "--rate", "10M", "--ack-wait", "2", "--no-partial")
    run.wait_for("phase casting")
    victim = estate.lab.targets[0]
    room = os.stat(f"/run/netns/{victim.namespace}").st_ino
    stopped = [pid for pid in estate.processes() if os.stat(f"/proc/{pid}/ns/net").st_ino == room]
    assert stopped
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        assert run.wait() == 23
        assert f"{victim.name}: given up and silent, so its clean-up is not awaited" in run.output
        assert "waiting up to" not in run.output
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
    estate.await_silence(30)
    assert list(estate.tree(victim).iterdir()) == []
    assert list(estate.differences()) == [victim.name]


def test_a_long_comparison_ends_with_the_master(make_estate: MakeEstate) -> None:
    estate = make_estate(1)
    build_awkward_tree(estate.source, seed=11)
    estate.serve_all()
    tree = estate.tree(estate.lab.targets[0])
    for number in range(LARGE_FILES):
        (tree / str(number)).touch()
    run = estate.start("-v", "2")
    run.wait_for("t1: joined")  # now it reads its tree
    run.signal(signal.SIGKILL)
    estate.await_silence(30)
    assert len(list(tree.iterdir())) == LARGE_FILES


def test_groups_as_in_the_first_example_of_the_readme(make_estate: MakeEstate, monkeypatch: pytest.MonkeyPatch) -> None:
    estate = make_estate(4)
    build_awkward_tree(estate.source, seed=12)
    estate.serve_all()
    (estate.folder / "groups.conf").write_text(
        f"[Main]\ndefault: own\n[own]\nmap: sed -n 's/^$GROUP: //p' {estate.folder}/groups\n"
    )
    (estate.folder / "groups").write_text("racks: t[3-4]\n")
    monkeypatch.setenv("CLUSTERSHELL_CFGDIR", str(estate.folder))
    assert estate.sync(targets="t[1-2],@racks") == 0
    assert estate.differences() == {}
    run = estate.start(targets="t1,@rocks")
    assert run.wait() == 1
    assert "unknown or empty group @rocks" in run.output


def test_an_installed_catcher_is_used(make_estate: MakeEstate) -> None:
    estate = make_estate(1)
    build_awkward_tree(estate.source, seed=10)
    estate.serve_all()
    assert estate.sync("-b", "/nowhere/bin") == 5
    assert str(estate.reasons()["t1"]).startswith("there is no /nowhere/bin/multicatcher; ")
    installed = estate.folder / "multicatcher"
    source = Path(__file__).parents[2] / "src"
    installed.write_text(
        f"#!/bin/sh\nPYTHONPATH={source} exec python3 -c 'from mrsync.cli import main; main.multicatcher()' \"$@\"\n"
    )
    installed.chmod(0o755)
    assert estate.sync("-b", str(estate.folder), targets="root@t1") == 0  # as ssh knows it, too
    assert estate.report()["targets"]["root@t1"]["state"] == "done"
    assert estate.differences() == {}
