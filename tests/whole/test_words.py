"""Catchers in containers, pods and steps, started by programs that take a command as words; here by stand-ins."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.programs import program
from tests.support.waiting import HANG_S
from tests.whole.site import Site

# Each runs what follows the name as words, without a shell of its own between.
STAND_INS = {
    "docker": '[ "$1 $2" = "exec -i" ] || exit 9; shift 3; exec "$@"',
    "podman": '[ "$1 $2" = "exec -i" ] || exit 9; shift 3; exec "$@"',
    "kubectl": '[ "$1 $2 $4" = "exec -i --" ] || exit 9; shift 4; exec "$@"',
    "srun": '[ "$1 $2" = "--nodes=1 --ntasks=1" ] || exit 9; shift 3; exec "$@"',
}
SHELLS = {"docker": "docker exec -i", "podman": "podman exec -i", "kubectl": "kubectl exec -i", "srun": "srun"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of the stand-ins; a container that is asked for its address has none."""
    for name, script in STAND_INS.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    return tmp_path


@pytest.mark.parametrize("name", SHELLS)
def test_a_sync_through_words(site: Site, folder: Path, name: str) -> None:
    site.source.mkdir()
    (site.source / "it's a file").write_text("contents")
    shell = f"{folder}/{SHELLS[name]}"
    dest = site.folder / "dest" / "{host} and more"
    command = program(
        "mrsync", "-r", shell, "-m", "web-[a,b]", "-s", site.source, "-t", dest, "-A", site.group, "-P", site.port,
        "-I", "lo", "-L", "--remote-python", "env -u NOTHING python3",
    )  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=HANG_S)
    assert done.returncode == 0, done.stderr
    for host in ("web-a", "web-b"):
        assert (site.folder / "dest" / f"{host} and more" / "it's a file").read_text() == "contents"


def test_sudo_that_asks_for_a_password_is_named_with_a_remedy(site: Site, tmp_path: Path) -> None:
    site.source.mkdir()
    (tmp_path / "sudo").write_text("#!/bin/sh\necho 'sudo: a password is required' >&2\nexit 1\n")
    shell = tmp_path / "rsh"
    shell.write_text(f'#!/bin/sh\nhost=$1; shift\n[ $host = poor ] && PATH={tmp_path}:$PATH\nexec sh -c "$*"\n')
    for path in (tmp_path / "sudo", shell):
        path.chmod(0o755)
    command = program(
        "mrsync", "-r", shell, "--sudo", "-m", "poor", "-s", site.source, "-t", site.folder / "dest/{host}",
        "-I", "lo", "-L", "-P", site.port,
    )  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=HANG_S)
    assert done.returncode == 5
    assert "poor: unreachable: sudo asks for a password there; allow this user Python without one" in done.stderr
    assert (done.stderr + done.stdout).count("asks for a password") == 1, "told once"


def test_sudo_on_some_targets_only(site: Site, tmp_path: Path) -> None:
    site.source.mkdir()
    (site.source / "file").write_text("contents")
    shell, log = tmp_path / "rsh", tmp_path / "log"
    (tmp_path / "sudo").write_text(f'#!/bin/sh\n[ "$1" = -n ] || exit 9\nshift\necho $host >>{log}\nexec "$@"\n')
    shell.write_text(f'#!/bin/sh\nexport host=$1; shift\nPATH={tmp_path}:$PATH\nexec sh -c "$*"\n')
    for path in (tmp_path / "sudo", shell):
        path.chmod(0o755)
    command = program(
        "mrsync", "-r", shell, "--sudo=web[1-2]", "-m", "db,web[1-3]", "-s", site.source,
        "-t", site.folder / "dest/{host}", "-A", site.group, "-I", "lo", "-L", "-P", site.port,
    )  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=HANG_S)
    assert done.returncode == 0, done.stderr
    assert sorted(log.read_text().split()) == ["web1", "web2"]
    for host in ("db", "web1", "web2", "web3"):
        assert (site.folder / "dest" / host / "file").read_text() == "contents"
