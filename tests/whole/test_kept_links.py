"""Soft links to directories on targets, which --keep-dirlinks keeps."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.whole.site import Site


@pytest.fixture
def kept(site: Site) -> Site:
    """A source with a directory `l`, and targets on which `l` is a link to a directory `real`."""
    for name in ("l/deep", "z"):
        (site.source / name).mkdir(parents=True)
    for name in ("l/g", "l/deep/h", "z/f"):
        (site.source / name).write_text(name)
    (site.source / "l").chmod(0o750)
    for host in site.hosts:
        (site.dest(host) / "real").mkdir(parents=True)
        (site.dest(host) / "l").symlink_to("real")
    return site


def files(top: Path) -> set[str]:
    return {str(path.relative_to(top)) for path in top.rglob("*") if not path.is_dir() or path.is_symlink()}


def test_the_directory_behind_a_kept_link_is_synced_and_not_deleted(kept: Site) -> None:
    for host in kept.hosts:
        (kept.dest(host) / "real/extra").touch()
        (kept.dest(host) / "more").mkdir()
    ended = kept.sync("--keep-dirlinks", "--delete", "-i")
    assert ended.status == 0, ended.stderr
    assert files(kept.dest("a")) == {"l", "real/g", "real/deep/h", "z/f"}
    assert not (kept.dest("a") / "more").exists()
    assert (kept.dest("a") / "real").stat().st_mode & 0o7777 == 0o750
    again = kept.sync("--keep-dirlinks", "--delete", "-i")
    assert (again.status, again.report["bytes_planned"]) == (0, 0)
    assert "/g" not in again.stdout


def test_nothing_is_deleted_where_two_directories_are_one(kept: Site) -> None:
    (kept.source / "real").mkdir()
    (kept.source / "real/other").write_text("other")
    ended = kept.sync("--keep-dirlinks", "--delete")
    assert ended.status == 0, ended.stderr
    assert {"real/g", "real/other"} < files(kept.dest("b"))


def test_a_directory_behind_a_kept_link_makes_no_way_for_a_file(kept: Site) -> None:
    (kept.source / "real").write_text("a file")
    ended = kept.sync("--keep-dirlinks", "--delete")
    assert ended.status == 23
    assert "real" in ended.stdout + ended.stderr
    assert (kept.dest("a") / "real/g").read_text() == "l/g"


def test_a_link_that_leads_out_is_told_and_not_followed(kept: Site) -> None:
    outside = kept.folder / "outside"
    outside.mkdir()
    for host in kept.hosts:
        (kept.dest(host) / "l").unlink()
        (kept.dest(host) / "l").symlink_to(outside)
    ended = kept.sync("--keep-dirlinks", "--delete")
    assert ended.status == 23
    assert "cannot follow the link" in ended.stdout + ended.stderr
    assert not any(outside.iterdir())
    assert files(kept.dest("a")) == {"l", "z/f"}
