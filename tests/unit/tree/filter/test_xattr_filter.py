"""Rules for extended attributes, as rsync has them: what is excluded is neither sent nor touched."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from mrsync.cli.settings.options import parse_mrsync
from mrsync.tree.filter import rules
from mrsync.tree.filter.rules import Rule
from mrsync.tree.filter.xattr_filter import attribute_filter
from tests.unit.tree.syncing import sync

SETS = (
    ["-x_user.b"],
    ["-x_user.c"],
    ["-xr_user.c"],
    ["-xs_user.b"],
    ["-xr_user.b"],
    ["-xr_user.[bc]", "- user.*"],
    ["Hx_user.b"],
    ["+x_user.a", "-x_user.*"],
    ["-x_user.*", "!"],
)


def test_only_rules_for_attributes_count() -> None:
    assert attribute_filter([Rule(b"user.a", 0)], rules.SENDER) is None
    ordered = [Rule(b"user.a", rules.ATTRIBUTES | rules.INCLUDE), Rule(b"user.*", rules.ATTRIBUTES)]
    found = attribute_filter([*ordered, Rule(b"x", rules.ATTRIBUTES | rules.RECEIVER)], rules.SENDER)
    assert found is not None
    assert [name for name in (b"user.a", b"user.b", b"x") if found.excludes(name)] == [b"user.b"]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for folder in ("source", "rsync", "mrsync"):
        (tmp_path / folder).mkdir()
        for name, contents, is_new in (("same", "same", False), ("other", folder, folder == "source")):
            path = tmp_path / folder / name
            path.write_text(contents)
            names = "ab" if folder == "source" else "abc"
            try:
                for attribute in names:
                    os.setxattr(path, f"user.{attribute}", folder[0].encode() if folder == "source" else b"old")
            except OSError as error:
                pytest.skip(f"no extended attributes here: {error}")
            os.utime(path, (1, 2 if is_new else 1))
    return tmp_path


@pytest.mark.skipif(shutil.which("rsync") is None, reason="needs rsync")
@pytest.mark.parametrize("texts", SETS)
def test_the_same_attributes_are_kept_as_by_rsync(tree: Path, texts: list[str]) -> None:
    filters = [f"--filter={text}" for text in texts]
    subprocess.run(["rsync", "-aX", *filters, f"{tree}/source/", f"{tree}/rsync/"], check=True)
    settings = parse_mrsync(["-m", "a", "-s", f"{tree}/source", "--xattrs", "--no-delete", *filters])[0]
    outcome = sync(tree / "source", tree / "mrsync", policy=settings.policy, selection=settings.selection)
    assert outcome.failures == []
    for name in ("same", "other"):
        assert attributes(tree / "mrsync" / name) == attributes(tree / "rsync" / name)
    assert (tree / "mrsync/other").read_text() == "source"


def attributes(path: Path) -> dict[str, bytes]:
    return {name: os.getxattr(path, name) for name in sorted(os.listxattr(path)) if name.startswith("user.")}
