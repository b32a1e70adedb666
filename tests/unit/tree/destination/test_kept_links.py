"""Kept links: files go through links that stay below the destination, and through no others."""

from __future__ import annotations

from pathlib import Path

import pytest

from mrsync.tree.model.policy import Policy
from tests.unit.tree.syncing import sync

KEEPING = Policy(deletes=True, keeps_dir_links=True)


@pytest.fixture
def trees(tmp_path: Path) -> Path:
    (tmp_path / "source/pictures").mkdir(parents=True)
    (tmp_path / "source/pictures/new").write_text("new")
    (tmp_path / "dest/elsewhere").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    return tmp_path


def test_a_link_below_the_destination_is_kept_with_what_it_leads_to(trees: Path) -> None:
    (trees / "dest/elsewhere/old").write_text("old")
    (trees / "dest/pictures").symlink_to("elsewhere")
    outcome = sync(trees / "source", trees / "dest", policy=KEEPING)
    assert outcome.failures == []
    assert (trees / "dest/pictures").is_symlink()
    assert (trees / "dest/elsewhere/new").read_text() == "new"
    assert not (trees / "dest/elsewhere/old").exists(), "what the source lacks is deleted behind the link, too"


@pytest.mark.parametrize("target", ["../outside", "/tmp", "pictures"], ids=["outside", "absolute", "itself"])
def test_a_link_that_does_not_stay_below_is_reported_and_left_alone(trees: Path, target: str) -> None:
    (trees / "dest/pictures").symlink_to(target)
    outcome = sync(trees / "source", trees / "dest", policy=KEEPING)
    assert [(failure.path, failure.action) for failure in outcome.failures] == [(b"pictures", "follow the link")]
    assert (trees / "dest/pictures").is_symlink()
    assert list((trees / "outside").iterdir()) == []


def test_a_link_to_no_directory_is_replaced(trees: Path) -> None:
    (trees / "dest/pictures").symlink_to("nothing")
    assert sync(trees / "source", trees / "dest", policy=KEEPING).failures == []
    assert (trees / "dest/pictures/new").read_text() == "new"
    assert not (trees / "dest/pictures").is_symlink()


def test_a_directory_that_two_share_loses_nothing(trees: Path) -> None:
    (trees / "source/music").mkdir()
    (trees / "source/music/song").write_text("song")
    (trees / "dest/pictures").symlink_to("elsewhere")
    (trees / "dest/music").symlink_to("elsewhere")
    for _ in range(2):
        assert sync(trees / "source", trees / "dest", policy=KEEPING).failures == []
        assert sorted(path.name for path in (trees / "dest/elsewhere").iterdir()) == ["new", "song"]


def test_a_link_that_changes_during_the_run_is_reported(trees: Path) -> None:
    (trees / "dest/pictures").symlink_to("elsewhere")

    def turn(step: str) -> None:
        if step == "committed":
            (trees / "dest/pictures").unlink()
            (trees / "dest/other").mkdir()
            (trees / "dest/pictures").symlink_to("other")

    outcome = sync(trees / "source", trees / "dest", policy=KEEPING, between=turn)
    assert (b"pictures", "follow the link") in [(failure.path, failure.action) for failure in outcome.failures]
