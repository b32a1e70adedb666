"""Destinations on file systems that keep less than the source has: the contents come, and what is not kept is told."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.disk import mounts
from tests.unit.tree.syncing import Outcome, leftovers, sync


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Files, a soft link and a hard-link group that somebody else owns."""
    source = tmp_path / "source"
    (source / "d" / "e").mkdir(parents=True)
    for name in ("a", "d/b", "d/e/c"):
        (source / name).write_text(name)
        (source / name).chmod(0o640)
        if not os.geteuid():
            os.chown(source / name, 1234, 1234)
    (source / "d" / "link").symlink_to("b")
    os.link(source / "a", source / "d" / "hard")
    if not os.geteuid():
        os.lchown(source / "d" / "link", 1234, 1234)
        os.chown(source / "d", 1234, 1234)
    for path in (*source.rglob("*"), source):
        os.utime(path, ns=(0, 1_700_000_000_123_456_789), follow_symlinks=False)
    return source


def told(outcome: Outcome) -> dict[str, tuple[bytes, int]]:
    """Action -> first path, and how many others."""
    found = {failure.action: (failure.path, failure.others) for failure in outcome.failures}
    assert len(found) == len(outcome.failures)
    return found


def contents(top: Path) -> dict[str, str]:
    return {str(path.relative_to(top)): path.read_text() for path in top.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("--chown-deny", {"set the owner"}),
        ("--chgrp-deny", {"set the group"}),
        ("--chown-ignore", {"set the owner"}),
        ("--chmod-deny", {"set the mode"}),
    ],
)
def test_an_attribute_that_is_refused_costs_nothing_else(
    tmp_path: Path, source: Path, option: str, expected: set[str]
) -> None:
    with mounts.refusing(tmp_path / "disk", option) as top:
        dest = top / "dest"
        first = sync(source, dest)
        assert first.sat_out == []
        assert set(told(first)) == expected
        assert contents(dest) == contents(source)
        assert os.readlink(dest / "d" / "link") == "b"
        assert (dest / "a").stat().st_ino == (dest / "d" / "hard").stat().st_ino
        assert leftovers(dest) == []
        second = sync(source, dest)
        assert second.comparison.needs == []
        assert set(told(second)) == expected


def test_a_refused_attribute_is_told_once_for_all(tmp_path: Path, source: Path) -> None:
    with mounts.refusing(tmp_path / "disk", "--chown-deny") as top:
        assert told(sync(source, top / "dest")) == {"set the owner": (b"a", 4)}  # d, d/b, d/link, d/e/c


def test_what_is_not_ours_does_not_run_as_us(tmp_path: Path, source: Path) -> None:
    (source / "a").chmod(0o6755)
    with mounts.refusing(tmp_path / "disk", "--chown-deny") as top:
        sync(source, top / "dest")
        assert (top / "dest" / "a").stat().st_mode & 0o7777 == 0o755
