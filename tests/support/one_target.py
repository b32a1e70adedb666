"""The jobs of one target through a whole session, in this process and thread, without a network."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TypeVar

from mrsync.errors import MrsyncError
from mrsync.protocol.core.events import CommitGranted
from mrsync.run.catch.activity import Activity
from mrsync.run.catch.jobs import Finished, TreeJobs
from mrsync.run.catch.record_keeper import RecordKeeper
from mrsync.run.catch.target_tree import TargetTree
from mrsync.transport.sessions import CatcherSecrets
from mrsync.tree.delta.blocks import delta_key, digest_blocks, encode_blocks
from mrsync.tree.model.failure import Failure
from mrsync.tree.model.policy import Policy
from mrsync.tree.source.planning import build_plan
from mrsync.tree.source.reader import ContentsReader
from mrsync.tree.source.scan import scan
from mrsync.wire.geometry import Geometry
from mrsync.wire.messages import ObjectKind, SealKind

BATCH = 4  # pages that come at once


T = TypeVar("T")


class Broken(Exception):
    """A job failed: the target is of no use any more, and says why."""


class OneTarget:
    """Plays the master and the other targets for one target's jobs.

    failures: all that the target tells of. broken: why it cannot go on, as it tells the master; empty: it can. sat_out:
    plan files that it cannot take. as_master: entered while the source is looked at, so that a shim leaves these calls
    alone. stops_after: so many pages arrive, then the session breaks. keeps_record: for `mrsync verify`.
    """

    def __init__(
        self,
        source: Path,
        dest: Path,
        policy: Policy,
        *,
        session: int = 1,
        as_master: Callable[[], AbstractContextManager[object]] = nullcontext,
        stops_after: int | None = None,
        keeps_record: bool = False,
        geometry: Geometry = Geometry(504, 2),  # noqa: B008
    ) -> None:
        self.failures: list[Failure] = []
        self.broken = ""
        self.sat_out: list[tuple[int, int]] = []
        self.finished: Finished | None = None
        self._source = os.fsencode(source)
        self._policy = policy
        self._as_master = as_master
        self._stops_after = stops_after
        self._committed = 0
        keeper = RecordKeeper(os.fsencode(dest), CatcherSecrets(bytes(32))) if keeps_record else None
        if keeper is not None:
            keeper.join(session, geometry, SealKind.HMAC_SHA256)
        activity = Activity(lambda entries: None)
        tree = TargetTree(os.fsencode(dest), activity, is_dry_run=False)
        self._jobs = TreeJobs(tree, activity, keeper=keeper)
        self._jobs.geometry = geometry
        self._jobs.session = session

    @property
    def is_clean(self) -> bool:
        """The target says that all is equal."""
        if self.failures or self.sat_out or self.finished is None:
            return False
        return not self.finished.result.failures and not self.finished.result.undone

    def run(self) -> OneTarget:
        """From the manifest to the end; raises what the program would not expect."""
        try:
            self._run()
        except Broken as error:
            self.broken = str(error)
        finally:
            self._jobs.clean_up()
        return self

    def _run(self) -> None:
        jobs = self._jobs
        with self._as_master():
            scanned = scan(self._source, self._policy)
            manifest = scanned.manifest.encode()
        jobs.write(ObjectKind.MANIFEST, [(0, manifest, b"")])
        compared = _attempt(jobs.compare)
        self.failures += compared.comparison.failures
        page = jobs.geometry.page_bytes
        with self._as_master():
            plan = build_plan(scanned, compared.comparison.needs)
            contents = ContentsReader(self._source, scanned.manifest, plan)
            files = [plan.file_of(entry) for first, end in compared.basis for entry in range(first, end)]
            if files:
                plan.blocks = encode_blocks(digest_blocks(plan, files, contents.read, page, delta_key(jobs.session)))
            encoded = plan.encode()
        jobs.write(ObjectKind.PLAN, [(0, encoded, b"")])
        wanted = _attempt(jobs.prepare)
        pages = [number for first, end in wanted.pages for number in range(first, end)][: self._stops_after]
        for start in range(0, len(pages), BATCH):
            with self._as_master():
                size = plan.contents_bytes
                batch = [
                    (number, contents.read(number * page, min(page, size - number * page)), b"")
                    for number in pages[start : start + BATCH]
                ]
            jobs.write(ObjectKind.CONTENTS, batch)
            self._grant()
        with self._as_master():
            contents.close()
        if self._stops_after is None:
            self._grant()
            self.finished = _attempt(jobs.finish)

    def _grant(self) -> None:
        """Whatever is ready goes into place; what this target cannot take, none does."""
        rounds = self._jobs.rounds
        assert rounds is not None
        ready = rounds.ready
        self.sat_out += rounds.take_sat_out()
        if ready > self._committed and (self._policy.commit != "job" or rounds.is_end(ready)):
            exceptions = tuple((file, file + 1) for file, _ in sorted(self.sat_out) if self._committed <= file < ready)
            granted = [CommitGranted(self._committed, ready, exceptions)]
            self.failures += _attempt(lambda: self._jobs.commit(granted))
            self._committed = ready


def _attempt(job: Callable[[], T]) -> T:
    """As the session does in its worker."""
    try:
        return job()
    except (MrsyncError, OSError) as error:
        raise Broken(str(error)) from error
