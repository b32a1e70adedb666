"""Keep the record of a sync on its target, for `mrsync verify`.

Proofs are gathered while pages arrive: each page comes with one. Only what did not arrive in this session, such as
blocks copied from an older version, is read back. The record is written at the end, by one rename. A target that
cannot keep a record syncs all the same.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from itertools import chain

from mrsync.errors import MrsyncError
from mrsync.files import close_quietly, open_regular
from mrsync.transport.sessions import CatcherSecrets
from mrsync.tree.destination.destination import Destination
from mrsync.tree.model.manifest import NO_DIGEST, REGULAR, Manifest
from mrsync.tree.model.plan import Plan
from mrsync.tree.record.gathering import Gathered
from mrsync.tree.record.grid import WHOLE, Grid
from mrsync.tree.record.record import ProvenFile, Record, TargetNames, carry, recorded_sync
from mrsync.tree.record.store import Store
from mrsync.tree.staging.stage import Stage
from mrsync.tuples import NamedTuple
from mrsync.wire.geometry import Geometry
from mrsync.wire.messages import ObjectKind, SealKind
from mrsync.wire.seals.keys import SessionKeys
from mrsync.wire.seals.proofs import DigestProver, Prover, SealProver

_HEADER_BYTES = 1 << 20  # enough for ten thousand sessions; a record with a longer header is written anew


class _Session(NamedTuple):
    """A session that was opened: its id, geometry, and the seal of its pages."""

    id: int
    geometry: Geometry
    seal: SealKind


class _Round(NamedTuple):
    gathered: Gathered
    prover: Prover


class RecordKeeper:
    """Gather what proves the tree of one target, and keep it.

    path: of the destination. Only the worker calls this, except for `join`, and `take` while the worker is idle.
    """

    def __init__(self, path: bytes, secrets: CatcherSecrets) -> None:
        self._path = path
        self._secrets = secrets
        self._session: _Session | None = None
        self._store: Store | None = None
        self._manifest = b""
        self._rounds: dict[int, _Round] = {}

    def join(self, session: int, geometry: Geometry, seal: SealKind) -> None:
        """Take what is known of the session when it opens."""
        self._session = _Session(session, geometry, seal)

    def open(self, manifest: bytes) -> int:
        """Prepare for keeping a record of this manifest. Return the open directory of records, or -1."""
        try:
            self._store = Store(self._path, makes=True)
        except OSError:
            return -1  # `mrsync verify` reports it
        self._manifest = manifest
        return self._store.fd

    @property
    def fd(self) -> int:
        """The open directory of records, or -1."""
        return self._store.fd if self._store is not None else -1

    def begin(self, object: ObjectKind, plan: Plan) -> None:
        """Gather proofs of a contents object from now on."""
        if self._store is None or self._session is None:
            return
        prover = self._prover(object, self._session)
        grid = Grid(self._session.geometry.page_bytes, plan.contents_bytes, prover.proof_bytes, prover.terms)
        self._rounds[object] = _Round(Gathered(plan, grid), prover)

    def amend(self, second_plan: bytes) -> None:
        """Bring the recorded manifest up to date, as the encoded second plan says."""
        if self._store is None:
            return
        from mrsync.tree.model.manifest_patch import decode_again  # only if files changed during the cast

        manifest = Manifest.decode(self._manifest)
        patch, _ = decode_again(second_plan, manifest, lambda patch: None)
        manifest.users.update(patch.rows.users)
        manifest.groups.update(patch.rows.groups)
        self._manifest = manifest.encode()

    def take(self, object: int, pages: Iterable[tuple[int, bytes, bytes]]) -> None:
        """Take pages that are about to be written, as (page, data, proof). A compressed page has no proof."""
        found = self._rounds.get(object)
        if found is not None:
            for page, data, proof in pages:
                found.gathered.take(page, data, proof or found.prover.prove(page, data))

    def keep(self, stages: Iterable[Stage], destination: Destination, manifest: Manifest) -> None:
        """Write the record, if anything changed since the last one. Raise OSError.

        stages: of each round that was begun. manifest: the decoded one.
        """
        if self._store is None or self._session is None:
            return
        record = Record(self._manifest, self._session.id, TargetNames(destination.host, destination.suffix))
        stages = list(stages)
        changed = bytearray(len(manifest))
        for stage in stages:
            for entry in chain(stage.states.unplaced(), stage.states.placed()):
                changed[entry] = True
        beginning = self._store.read(_HEADER_BYTES)
        if True not in changed and beginning is not None and _is_of(beginning[0], record):
            self._store.touch()
            return
        fresh = [_proven(round, stage, destination) for round, stage in zip(self._rounds.values(), stages)]
        has_digests = manifest.policy.checksum and not manifest.policy.may_lack_files
        compared = _compared(manifest, changed) if has_digests else None
        carry(_old_record(self._store, manifest, changed), record, manifest, fresh, changed, compared)
        fresh.clear()
        self._rounds.clear()  # all is in the record, which takes as much memory again while it is written
        self._store.write(record.parts(), is_durable=manifest.policy.durable)
        self._store.prune()

    def close(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None

    def _prover(self, object: ObjectKind, session: _Session) -> Prover:
        if self._secrets.checks_digests:
            return DigestProver()
        keys = SessionKeys.derive(self._secrets.group, session.id)
        return SealProver(keys.pages, session.id, session.seal, object, session.geometry)


def _old_record(store: Store, manifest: Manifest, changed: Sequence[int]) -> Record | None:
    """Return the last record, or None if it proves nothing or is damaged: a power cut may have left a part of it."""
    found = store.read() if _keeps_some(manifest, changed) else None
    try:
        return Record.decode(found[0]) if found is not None else None
    except MrsyncError:
        return None


def _keeps_some(manifest: Manifest, changed: Sequence[int]) -> bool:
    """Return whether there is a file whose contents did not change. Without one, an old record proves nothing."""
    kept = (entry for entry, is_new in enumerate(changed) if not is_new)
    return any(manifest.sizes[entry] and manifest.kind(entry) == REGULAR for entry in kept)


def _compared(manifest: Manifest, changed: Sequence[int]) -> Iterator[ProvenFile]:
    """Yield the files that were compared by their digests (--checksum) and found equal."""
    for entry, size in enumerate(manifest.sizes):
        if size and manifest.has_contents(entry) and not changed[entry] and manifest.digest(entry) != NO_DIGEST:
            yield ProvenFile(entry, WHOLE, 0, size, [], manifest.digest(entry))


def _proven(round: _Round, stage: Stage, destination: Destination) -> Iterator[ProvenFile]:
    """Yield the files of a round that got into place, with their proofs."""
    gathered, plan = round.gathered, round.gathered.plan
    with closing(_PlacedFiles(stage, destination)) as placed:
        for file, entry in stage.states.placed_files():
            gathered.forget_before(file)  # the record has their digests now, and a million files would not fit twice
            start, length = plan.starts[file], plan.starts[file + 1] - plan.starts[file]
            if not length:
                continue
            try:
                proof = gathered.proof(file, round.prover.prove, placed.read)
            except OSError:
                continue  # it is unproven
            extents = list(plan.extents[file]) if file in plan.extents else []
            yield ProvenFile(entry, gathered.grid, start, length, extents, proof)


class _PlacedFiles:
    """Files in their places, opened when they are read."""

    def __init__(self, stage: Stage, destination: Destination) -> None:
        self._stage = stage
        self._destination = destination
        self._file = -1
        self._fd = -1

    def read(self, offset: int, length: int) -> bytes:
        """Return bytes of the contents object that belong to a single file. Raises OSError."""
        pieces = self._stage.plan.locate(offset, length)
        if pieces[0][0] != self._file:
            self._open(pieces[0][0])
        return b"".join([os.pread(self._fd, size, position) for _, position, size in pieces])

    def _open(self, file: int) -> None:
        self.close()
        manifest, entry = self._stage.manifest, self._stage.plan.entries[file]
        parent = self._destination.directories.open(manifest.parents[entry])
        self._fd = open_regular(manifest.names[entry], parent)
        self._file = file

    def close(self) -> None:
        if self._fd >= 0:
            close_quietly(self._fd)
            self._fd = self._file = -1


def _is_of(encoded: bytes, record: Record) -> bool:
    """Return whether an encoded record, of which the beginning suffices, is of the same manifest and names."""
    try:
        return recorded_sync(encoded) == (record.digest.hex(), record.names)
    except MrsyncError:
        return False
