"""Trees on one host lie apart, whatever paths lead to them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mrsync.cli.settings.options import parse_mrsync
from mrsync.errors import SelectionError, UsageError
from mrsync.run.settings import CastSettings
from mrsync.tree.model.manifest import Manifest
from mrsync.tree.source.scan import scan


def parsed(source: Path, dest: Path, *options: str, hosts: str = "a") -> CastSettings:
    return parse_mrsync(["-r", "local", "-m", hosts, "-s", str(source), "-t", str(dest), *options])[0]


def scanned(settings: CastSettings) -> Manifest:
    return scan(settings.source, settings.policy, settings.selection).manifest


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "up" / "s" / "snap" / "old").mkdir(parents=True)
    (tmp_path / "up" / "s" / "file").touch()
    (tmp_path / "t" / "a").mkdir(parents=True)
    return tmp_path


@pytest.fixture
def bind(site: Path) -> Iterator[Path]:
    """A directory that can be mounted on, root only; `up` is mounted there."""
    (site / "bound").mkdir()
    if subprocess.run(["mount", "--bind", site / "up", site / "bound"], capture_output=True, check=False).returncode:
        pytest.skip("nothing can be mounted here")
    yield site / "bound"
    subprocess.run(["umount", site / "bound"], check=True)


@pytest.mark.parametrize("dest", ["up/s", "up", "up/s/new", "up/s/snap/old", "link/s", "link", "link/s/new"])
def test_trees_that_contain_one_another(site: Path, dest: str) -> None:
    (site / "link").symlink_to("up")
    with pytest.raises(UsageError, match="must not contain one another"):
        parsed(site / "up" / "s", site / dest)


@pytest.mark.parametrize("dest", ["bound/s", "bound", "bound/s/new", "bound/s/snap"])
def test_trees_that_contain_one_another_by_a_mount(site: Path, bind: Path, dest: str) -> None:
    with pytest.raises(UsageError, match="must not contain one another"):
        parsed(site / "up" / "s", site / dest)
    with pytest.raises(UsageError, match="must not contain one another"):
        parsed(bind / "s", site / dest.replace("bound", "up"))


def test_a_mount_of_the_source_in_a_destination(site: Path) -> None:
    (site / "t" / "a" / "sub").mkdir()
    mounted = subprocess.run(
        ["mount", "--bind", site / "up" / "s", site / "t" / "a" / "sub"], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("nothing can be mounted here")
    try:
        with pytest.raises(UsageError, match="must not contain one another"):
            parsed(site / "up" / "s", site / "t" / "a")
    finally:
        subprocess.run(["umount", site / "t" / "a" / "sub"], check=True)


@pytest.mark.parametrize(
    "options",
    [
        ["--exclude", "/snap"],
        ["--exclude", "snap/*"],
        ["--filter", "H snap"],
        ["--filter", ": .rules"],
        ["--files-from", "list"],
    ],
)
@pytest.mark.parametrize("dest", ["old", "new"])
def test_a_destination_that_is_left_out_of_the_source(
    site: Path, dest: str, options: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(site)
    (site / "list").write_text("file\nsnap\n")
    (site / "up" / "s" / ".rules").write_text("- snap\n")
    settings = parsed(site / "up" / "s", site / "up" / "s" / "snap" / dest, *options)
    assert scanned(settings).find(b"file") > 0


@pytest.mark.parametrize("options", [["--exclude", "other"], ["--exclude", "/old"], ["--exclude", "/new"], ["-FF"]])
@pytest.mark.parametrize("dest", ["old", "new"])
def test_a_destination_that_is_not_left_out(site: Path, dest: str, options: list[str]) -> None:
    (site / "link").symlink_to("up/s/snap")
    for path in (site / "up" / "s" / "snap", site / "link"):
        settings = parsed(site / "up" / "s", path / dest, *options)
        with pytest.raises(SelectionError, match=rf"is in SOURCE \(snap/{dest}\); --exclude it"):
            scanned(settings)


def test_a_mount_in_the_source_that_leads_to_a_destination(site: Path, bind: Path) -> None:
    with pytest.raises(SelectionError, match=r"is in SOURCE \(bound/new\)"):
        scanned(parsed(site, site / "up" / "new", "--exclude", "/up", "--exclude", "/t"))
    assert scanned(parsed(site, site / "up" / "new", "--exclude", "/up", "--exclude", "/bound"))


def test_targets_that_share_a_place(site: Path) -> None:
    with pytest.raises(UsageError, match=r"need \{host\} in DEST"):
        parsed(site / "up" / "s", site / "t", hosts="a,b")
    (site / "t" / "b").symlink_to("a")
    with pytest.raises(UsageError, match=r"need \{host\} in DEST"):
        parsed(site / "up" / "s", site / "t" / "{host}", hosts="a,b")
    (site / "t" / "c").symlink_to("a/sub")
    with pytest.raises(UsageError, match="DEST of c on this host is inside that of a"):
        parsed(site / "up" / "s", site / "t" / "{host}", hosts="a,c")


def test_a_home_directory_is_expanded_here(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(site))
    assert parsed(site / "up" / "s", Path("~/t/a")).dest == os.fsencode(site / "t" / "a")
