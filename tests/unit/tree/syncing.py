"""One target's whole sync in this process, without a network, and running as somebody who is not root."""

from __future__ import annotations

import os
import random
import secrets
import shutil
import tempfile
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from mrsync.tree.compare.compare import compare
from mrsync.tree.compare.result import Comparison
from mrsync.tree.destination.destination import Destination
from mrsync.tree.lists.scan_synclist import scan_synclist
from mrsync.tree.lists.synclist import Item
from mrsync.tree.model.failure import Failure, Fault
from mrsync.tree.model.manifest import Manifest
from mrsync.tree.model.plan import Plan
from mrsync.tree.model.policy import Policy
from mrsync.tree.source.planning import build_plan
from mrsync.tree.source.reader import ContentsReader
from mrsync.tree.source.scan import scan
from mrsync.tree.source.scanner import Scan
from mrsync.tree.source.selection import Selection
from mrsync.tree.staging.commit import Commit
from mrsync.tree.staging.finish import Result, finish
from mrsync.tree.staging.stage import Stage
from tests.trees import remove_tree

NOBODY = 65534


@dataclass
class Outcome:
    """manifest: the target's, whose hard-link leaders are those that serve there."""

    scan: Scan
    manifest: Manifest
    comparison: Comparison
    plan: Plan
    sat_out: list[tuple[int, int]]
    commit_failures: list[Failure]
    result: Result
    changed: dict[int, Fault]

    @property
    def failures(self) -> list[Failure]:
        return [*self.comparison.failures, *self.commit_failures, *self.result.failures]

    @property
    def is_noop(self) -> bool:
        return not self.comparison.changes and not self.comparison.needs


def sync(
    source: Path,
    dest: Path,
    *,
    deletes: bool = True,
    policy: Policy | None = None,
    selection: Selection = Selection(),  # noqa: B008
    items: Sequence[Item] | None = None,
    page_bytes: int = 5000,
    seed: int | None = None,
    exceptions: tuple[tuple[int, int], ...] = (),
    host: str = "",
    between: Callable[[str], None] = lambda step: None,
) -> Outcome:
    """Sync like a caster and a catcher would; pages come in an order drawn from seed (None: in order), in batches.

    items: of a synclist, to sync just these. between is called with "compared", "staged" and "committed" after these
    steps.
    """
    if items is None:
        scanned = scan(os.fsencode(source), policy or Policy(deletes=deletes), selection)
    else:
        scanned = scan_synclist(os.fsencode(source), items, policy or Policy(), selection)
    manifest = Manifest.decode(scanned.manifest.encode())
    destination = Destination(os.fsencode(dest), host=host)
    comparison = compare(manifest, destination)
    between("compared")
    planned = build_plan(scanned, comparison.needs)
    plan = Plan.decode(planned.encode(), manifest)
    contents = ContentsReader(os.fsencode(source), scanned.manifest, planned, mode_changes=scanned.mode_changes)
    stage = Stage(destination, manifest, plan, comparison.needs, secrets.token_hex(4))
    cast(contents, stage, page_bytes=page_bytes, seed=seed)
    between("staged")
    commit = Commit(stage)
    ready = stage.ready
    assert ready == plan.file_count
    failures = commit.commit(0, ready // 2, exceptions)
    failures += commit.commit(ready // 2, ready, exceptions)
    between("committed")
    result = finish(stage, comparison)
    contents.close()
    destination.close()
    return Outcome(scanned, manifest, comparison, planned, stage.take_sat_out(), failures, result, contents.changed)


def cast(source: ContentsReader, stage: Stage, *, page_bytes: int = 5000, seed: int | None = None) -> None:
    """Carry all pages from source to stage."""
    size = stage.plan.contents_bytes
    offsets = list(range(0, size, page_bytes))
    chance = random.Random(seed)
    if seed is not None:
        chance.shuffle(offsets)
    while stage.advance(3):
        pass
    while offsets:
        batch, offsets = offsets[:7], offsets[7:]
        stage.write_many([(offset, source.read(offset, min(page_bytes, size - offset))) for offset in batch])
        while stage.advance(3):
            pass


def leftovers(path: Path) -> list[Path]:
    """Files and links that a run should have removed."""
    return list(path.rglob(".mrsync-*"))


@contextmanager
def nobodys_directory() -> Iterator[Path]:
    """A directory that belongs to nobody, or to this user where that is not root."""
    path = Path(tempfile.mkdtemp(prefix="mrsync-test-"))
    if os.geteuid() == 0:
        os.chown(path, NOBODY, NOBODY)
    try:
        yield path
    finally:
        remove_tree(path)


def as_nobody(action: Callable[[], None]) -> None:
    """Run an action in a child process that is not root; its failure is this test's failure."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        text = ""
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY)
            action()
        except BaseException:
            text = traceback.format_exc()
        os.write(writer, text.encode()[:60_000])
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        text = pipe.read().decode()
    os.waitpid(child, 0)
    if text:
        pytest.fail(text)


@contextmanager
def small_file_system(size_bytes: int, inodes: int = 1000) -> Iterator[Path]:
    """A tmpfs of this size; skipped where it cannot be mounted."""
    path = Path(tempfile.mkdtemp(prefix="mrsync-test-"))
    command = f"mount -t tmpfs -o size={size_bytes},nr_inodes={inodes} mrsync-test {path} 2>/dev/null"
    if os.geteuid() or os.system(command):
        path.rmdir()
        pytest.skip("needs root and the right to mount a tmpfs")
    try:
        yield path
    finally:
        os.system(f"umount {path}")
        shutil.rmtree(path)
