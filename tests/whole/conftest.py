"""Sites for tests, swept away afterwards with all that a tree can hold."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.trees import remove_tree
from tests.whole.site import Site

MakeSite = Callable[[Sequence[str]], Site]


@pytest.fixture
def make_site() -> Iterator[MakeSite]:
    """A site with these targets, in a folder that everybody may enter."""
    folders: list[Path] = []

    def make(hosts: Sequence[str]) -> Site:
        folder = Path(tempfile.mkdtemp(prefix="mrsync-whole-"))
        folders.append(folder)
        folder.chmod(0o755)
        return Site(folder, hosts)

    yield make
    for folder in folders:
        remove_tree(folder)


@pytest.fixture
def site(make_site: MakeSite) -> Site:
    """Three targets: a, b, c."""
    return make_site(("a", "b", "c"))


@pytest.fixture
def crowded(make_site: MakeSite) -> Iterator[Site]:
    """Target c has a file system of its own, of 2 MB."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount")
    site = make_site(("a", "b", "c"))
    site.dest("c").mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", site.dest("c")], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"cannot mount here: {mounted.stderr.decode().strip()}")
    yield site
    subprocess.run(["umount", "-l", site.dest("c")], check=True)
