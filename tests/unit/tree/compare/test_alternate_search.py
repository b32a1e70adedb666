"""Which entries are taken from other directories, and which are not because somebody may have forged them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from mrsync.tree.model.policy import Policy
from tests.trees import differences
from tests.unit.tree.syncing import Outcome, leftovers, sync

ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
LINKED = Policy(hard_links=False, link_dests=("../other",))


@pytest.fixture
def trees(tmp_path: Path) -> Path:
    (tmp_path / "source/sub").mkdir(parents=True)
    for name in ("a", "sub/b"):
        (tmp_path / "source" / name).write_text(name)
    shutil.copytree(tmp_path / "source", tmp_path / "other")
    return tmp_path


def run(trees: Path, policy: Policy, **details: object) -> Outcome:
    outcome = sync(trees / "source", trees / "dest", policy=policy, **details)  # type: ignore[arg-type]
    assert leftovers(trees / "dest") == []
    return outcome


def needed(outcome: Outcome) -> list[bytes]:
    return [outcome.manifest.path(entry) for first, end in outcome.comparison.needs for entry in range(first, end)]


def test_nothing_is_reached_through_a_link_below_the_other_directory(trees: Path) -> None:
    shutil.move(trees / "other/sub", trees / "elsewhere")
    (trees / "other/sub").symlink_to("../elsewhere")
    outcome = run(trees, LINKED)
    assert needed(outcome) == [b"sub/b"]
    assert differences(trees / "source", trees / "dest") == []


@pytest.mark.parametrize("above", ["", "../dest/", "{}/dest/"])
def test_no_link_within_the_destination_is_followed(trees: Path, above: str) -> None:
    (trees / "dest/open").mkdir(parents=True)
    (trees / "dest/open/link").symlink_to("../../other")
    outcome = run(trees, LINKED._replace(link_dests=(above.format(trees) + "open/link",)))
    assert needed(outcome) == [b"a", b"sub/b"]


@ROOT_ONLY
def test_contents_of_another_user_get_no_new_owner(trees: Path) -> None:
    for name in ("a", "sub/b"):
        os.chown(trees / "other" / name, 1000, 1000)
    assert needed(run(trees, Policy(copy_dests=("../other",)))) == [b"a", b"sub/b"]


@ROOT_ONLY
def test_contents_of_another_user_may_be_copied_for_that_user(trees: Path) -> None:
    os.chown(trees / "source/a", 1000, 1000)
    os.chown(trees / "other/a", 1000, 1000)
    (trees / "other/a").chmod(0o600)
    assert needed(run(trees, Policy(copy_dests=("../other",)))) == []
    assert differences(trees / "source", trees / "dest") == []


def test_a_copy_gets_no_special_rights(trees: Path) -> None:
    (trees / "source/a").chmod(0o4755)
    assert needed(run(trees, LINKED)) == [b"a"]


def test_a_copy_gets_no_attributes_that_are_not_kept(trees: Path) -> None:
    """An ACL of the original would let its users read the copy."""
    os.setxattr(trees / "other/a", "user.old", b"1")
    assert needed(run(trees, Policy(copy_dests=("../other",)))) == []
    assert os.listxattr(trees / "dest/a") == []
    assert differences(trees / "source", trees / "dest") == []


def test_files_that_change_after_the_comparison_are_not_used(trees: Path) -> None:
    def change(step: str) -> None:
        if step == "compared":
            (trees / "other/a").write_text("A")

    outcome = run(trees, LINKED, between=change)
    assert [failure.path for failure in outcome.failures] == [b"a"]
    assert not (trees / "dest/a").exists()


def test_files_that_cannot_be_linked_are_copied(trees: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **more: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    outcome = run(trees, LINKED)
    assert not outcome.failures
    assert not needed(outcome)
    assert differences(trees / "source", trees / "dest") == []
    assert (trees / "dest/a").stat().st_nlink == 1


def test_an_old_file_that_the_link_replaces_is_backed_up(trees: Path) -> None:
    (trees / "dest").mkdir()
    (trees / "dest/a").write_text("old")
    run(trees, LINKED._replace(backup=True, suffix="~"))
    assert (trees / "dest/a~").read_text() == "old"
    assert os.path.samefile(trees / "dest/a", trees / "other/a")


def test_a_second_run_has_nothing_to_do(trees: Path) -> None:
    run(trees, LINKED)
    assert run(trees, LINKED).is_noop
