"""Packages are built, installed into folders, and sync from there: wheel, sdist, .deb and zipapp."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from mrsync import __version__
from mrsync.cli.registry.completion import INSTALLED
from mrsync.cli.registry.options import DOCUMENTS, DOCUMENTS_ONLINE, PROGRAMS
from release.deb import build_deb
from release.shared import PROJECT, shared_files
from release.zipapp import build_pyz
from tests.trees import differences
from tests.whole.site import Site, write_files

MODULES = {str(path.relative_to(PROJECT / "src")) for path in (PROJECT / "src" / "mrsync").rglob("*.py")}


def run(*command: str | Path, environment: dict[str, str] | None = None, folder: Path | None = None) -> str:
    done = subprocess.run(
        list(map(str, command)), env={**os.environ, **(environment or {})}, cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def check_sync(
    folder: Path, command: Sequence[str | Path], environment: dict[str, str] | None = None, shell: str | Path = "local"
) -> None:
    """Sync with the program that this command starts."""
    site = Site(folder, ("a", "b"))
    write_files(site.source, {"small": 10, "d/large": 300_000})
    run(
        *command, "-r", shell, "-m", "a,b", "-s", site.source, "-t", folder / "dest" / "{host}",
        "-A", site.group, "-P", str(site.port), environment=environment, folder=folder,
    )  # fmt: skip
    assert [differences(site.source, site.dest(host)) for host in site.hosts] == [[], []]


def check_documents(text: str) -> None:
    """The help names documents that are there."""
    place = text.rpartition("Documents: ")[2].strip()
    assert place == DOCUMENTS_ONLINE or (Path(place) / "cli.md").is_file()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the synced trees are."""
    (tmp_path / "site").mkdir()
    return tmp_path / "site"


def build(project: Path, kind: str, target: Path) -> Path:
    run(sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", target, folder=project)
    (package,) = target.iterdir()
    return package


def test_a_wheel_has_modules_man_pages_completions_and_units(tmp_path: Path, folder: Path) -> None:
    wheel = build(PROJECT, "wheel", tmp_path / "dist")
    with zipfile.ZipFile(wheel) as packed:
        names = set(packed.namelist())
        requirements = packed.read(f"mrsync-{__version__}.dist-info/METADATA").decode()
    assert names >= MODULES
    assert {f"mrsync-{__version__}.data/data/{path}" for path in shared_files()} <= names
    assert "Requires-Dist: clustershell" in requirements.replace("ClusterShell", "clustershell")
    prefix = tmp_path / "prefix"
    run(
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--ignore-installed",
        "--no-index",
        "--no-deps",
        "--prefix",
        prefix,
        wheel,
    )
    assert (prefix / "share/man/man1/mrsync.1").exists()
    (modules,) = prefix.glob("lib/python3*/site-packages")
    environment = {"PYTHONPATH": str(modules)}
    where = "import mrsync; print(mrsync.__file__)"
    assert run(sys.executable, "-c", where, environment=environment).startswith(str(modules))
    check_sync(folder, [prefix / "bin" / "mrsync"], environment)
    check_documents(run(prefix / "bin" / "mrsync", "--help", "all", environment=environment))


def test_the_same_wheel_is_made_from_an_sdist(tmp_path: Path) -> None:
    with tarfile.open(build(PROJECT, "sdist", tmp_path / "dist")) as packed:
        packed.extractall(tmp_path / "unpacked", filter="data")
    (project,) = (tmp_path / "unpacked").iterdir()
    wheels = [build(each, "wheel", tmp_path / name) for each, name in ((project, "of-sdist"), (PROJECT, "of-tree"))]
    assert wheels[0].read_bytes() == wheels[1].read_bytes()


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="needs dpkg")
def test_a_deb_is_installed_used_and_removed(tmp_path: Path, folder: Path) -> None:
    package = build_deb(tmp_path)
    root = tmp_path / "root"
    (root / "var/lib/dpkg").mkdir(parents=True)
    (root / "var/lib/dpkg/status").touch()
    run("dpkg-deb", "--extract", package, tmp_path / "extracted")
    names = {str(path.relative_to(tmp_path / "extracted")) for path in (tmp_path / "extracted").rglob("*")}
    assert {f"usr/lib/python3/dist-packages/{name}" for name in MODULES} <= names
    assert {f"usr/bin/{program}" for program in INSTALLED} <= names
    assert f"{DOCUMENTS[1:]}/cli.md" in names
    assert {f"usr/share/man/man1/{program.replace(' ', '-')}.1.gz" for program in PROGRAMS} <= names
    assert "python3-clustershell" in run("dpkg-deb", "--field", package, "Depends")
    if os.geteuid() != 0:
        pytest.skip("all but the installation was held: dpkg needs root")
    dpkg = ("dpkg", "--root", root, "--force-script-chrootless", "--force-depends", "--log", tmp_path / "log")
    run(*dpkg, "--install", package)
    assert run(*dpkg, "--verify", "mrsync") == ""
    environment = {"PYTHONPATH": str(root / "usr/lib/python3/dist-packages")}
    assert f"mrsync {__version__}" in run(sys.executable, root / "usr/bin/mrsync", "--version", environment=environment)
    check_sync(folder, [sys.executable, root / "usr/bin/mrsync"], environment)
    run(*dpkg, "--purge", "mrsync")
    assert not (root / "usr/bin/mrsync").exists()


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="needs dpkg")
def test_two_builds_of_a_deb_are_the_same(tmp_path: Path) -> None:
    packages = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        packages.append(build_deb(tmp_path / name).read_bytes())
    assert packages[0] == packages[1]


def test_the_zipapp_needs_nothing_installed(tmp_path: Path, folder: Path) -> None:
    package = build_pyz(tmp_path)
    assert package.stat().st_mode & 0o777 == 0o755
    bare = (sys.executable, "-I", "-S", package)
    assert "no  AES-256-GCM" in run(*bare, "--version")
    check_sync(folder, bare)
    check_documents(run(*bare, "--help", "all"))
    shell = tmp_path / "rsh"  # HOST COMMAND...
    shell.write_text('#!/bin/sh\nshift\nexec sh -c "$*"\n')
    shell.chmod(0o755)
    shutil.rmtree(folder)
    folder.mkdir()
    check_sync(folder, bare, shell=shell)
