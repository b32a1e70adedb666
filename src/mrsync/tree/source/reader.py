"""Read the contents object from the source's files, and detect files that changed since the scan.

Nothing locks the source, so a file may change at any time, and a mixture of two versions must never be committed. Size,
mtime, inode and ctime are compared when a file is opened and again after its last byte was read. A write in between
changes the ctime, so a file that passes the second check was stable while it was read. If a file has holes, inode and
ctime must be those of the moment when its holes were looked for. Owner and mode must also be those of the scan, because
they decide who may read the contents on targets: a user who may rename entries of the source could put a file that they
cannot read in the place of one that they can. A file that fails becomes `changed`: zeros are sent in its place, and the
master has the file excepted from the commit or sends it again.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from mrsync.tree.fs.descriptors import cache_limit
from mrsync.tree.fs.fdcache import FdCache
from mrsync.tree.fs.page_cache import forget_read
from mrsync.tree.fs.pieces import read_exactly
from mrsync.tree.model.failure import Changed, Fault
from mrsync.tree.model.manifest import Manifest
from mrsync.tree.model.plan import Plan
from mrsync.tree.source.ctimes import settle
from mrsync.tree.source.modes import ModeChange, changed_mode
from mrsync.tree.source.prefix import Prefix
from mrsync.tree.source.roots import OpenRoots, Roots

FILES_OPEN_MAX = 32


class ContentsReader:
    """The planned files of the source. The constructor raises SelectionError if a root cannot be read.

    roots: of the source, or the path of its only one.
    changed: plan file -> reason, for each file that vanished, changed or cannot be read; zeros are sent for its data.
    mode_changes: what was applied to the modes in the manifest. prefixes: by manifest entry, for files that may grow
    meanwhile. outgrown: the plan files among these that did grow.
    """

    def __init__(
        self,
        roots: Roots | bytes,
        manifest: Manifest,
        plan: Plan,
        prefixes: Mapping[int, Prefix] = MappingProxyType({}),
        mode_changes: Sequence[ModeChange] = (),
    ) -> None:
        self.changed: dict[int, Fault] = {}
        self.outgrown: set[int] = set()
        self._prefixes = prefixes
        self._mode_changes = mode_changes
        self._manifest = manifest
        self._plan = plan
        self._open_roots = OpenRoots(roots, manifest)
        self._fds = FdCache(cache_limit(FILES_OPEN_MAX))
        self._checks_every_piece = False
        self._is_plain = not manifest.policy.drops_cache
        # Identity of each file when it was first opened; inode 0: not opened yet.
        self._inodes = array("Q", bytes(8 * plan.file_count))
        self._ctimes = array("q", bytes(8 * plan.file_count))
        self._know_sparse()
        self._verified = bytearray(plan.file_count)

    def read(self, offset: int, length: int) -> bytes:
        """Return bytes of the contents object. A file is verified when its last byte of data is read."""
        pieces = self._plan.locate(offset, length)
        if len(pieces) == 1:
            return self._read_piece(*pieces[0])
        return b"".join([self._read_piece(*piece) for piece in pieces])

    def check_every_piece(self) -> None:
        """Check every piece against the scan. Call this before reading if targets already hold parts of the contents.

        These parts belong to the scanned version, so the rest must as well. And since not everything will be read, any
        piece may be the last one of its file.
        """
        self._checks_every_piece = True
        if self._plan.inodes:
            self._inodes, self._ctimes = self._plan.inodes[:], self._plan.ctimes[:]
            self._know_sparse()

    def _know_sparse(self) -> None:
        """Note the identity that files had when their holes were looked for, unless they were opened before."""
        for file, (inode, ctime) in self._plan.sparse_identities.items():
            if not self._inodes[file]:
                self._inodes[file], self._ctimes[file] = inode, ctime

    def is_settled(self, file: int) -> bool:
        """Return whether a plan file was read to its end, or found changed."""
        return bool(self._verified[file]) or file in self.changed

    def verify(self, file: int) -> None:
        """Add a plan file to `changed` if it is no longer as it was scanned."""
        try:
            self._check(file, os.fstat(self._open(file)))
            self._fds.close(file)
        except OSError as error:
            self._give_up(file, error)

    def close(self) -> None:
        self._fds.close_all()
        self._open_roots.close()

    def _read_piece(self, file: int, position: int, length: int) -> bytes:
        if file in self.changed:
            return bytes(length)
        try:
            if self._is_whole(file, length):
                return self._read_whole(file, length)
            fd = self._open(file)
            prefix = self._prefixes.get(self._plan.entries[file])
            data = prefix.read(fd, position, length) if prefix else read_exactly(fd, position, length)
            is_end = position + length == self._data_end(file)
            if is_end or self._checks_every_piece:
                self._check(file, os.fstat(fd))
            if self._manifest.policy.drops_cache:
                forget_read(fd, position, length, is_end=is_end)
            if is_end:
                self._verified[file] = 1
                self._fds.close(file)
        except OSError as error:
            self._give_up(file, error)
            return bytes(length)
        return data

    def _is_whole(self, file: int, length: int) -> bool:
        """Return whether a piece of this length is a whole file without holes, for which nothing special is asked."""
        entry = self._plan.entries[file]
        is_whole = length == self._manifest.sizes[entry]
        return is_whole and file not in self._plan.extents and entry not in self._prefixes and self._is_plain

    def _read_whole(self, file: int, length: int) -> bytes:
        """Read a file at once, as most files are. Raise OSError.

        A small file costs the master five system calls. If both looks show the same, it is compared with the scan only
        once.
        """
        fd, before = self._open_roots.open_known(self._plan.entries[file])
        try:
            self._check(file, before)
            data = read_exactly(fd, 0, length)
            after = os.fstat(fd)
        finally:
            os.close(fd)
        if not _is_same(before, after):
            self._check(file, after)
        self._verified[file] = 1
        return data

    def _data_end(self, file: int) -> int:
        """Return the offset after the file's last byte of data."""
        extents = self._plan.extents.get(file)
        if extents:
            return sum(extents[-1])
        return self._manifest.sizes[self._plan.entries[file]]

    def _open(self, file: int) -> int:
        fd = self._fds.get(file)
        if fd is None:
            fd, status = self._open_roots.open_known(self._plan.entries[file])
            self._fds.put(file, fd)
            self._check(file, status)
        return fd

    def _check(self, file: int, status: os.stat_result) -> None:
        """Raise Changed unless the open file is as it was scanned and first opened, or may grow and only grew."""
        try:
            self._hold_against_scan(file, status)
        except Changed:
            self._check_readers(self._plan.entries[file], status)
            prefix = self._prefixes.get(self._plan.entries[file])
            if prefix is None or not prefix.is_of(status):
                raise
            self.outgrown.add(file)

    def _hold_against_scan(self, file: int, status: os.stat_result) -> None:
        entry = self._plan.entries[file]
        if status.st_size != self._manifest.sizes[entry]:
            raise Changed("its size changed")
        if status.st_mtime_ns != self._manifest.mtime_ns(entry):
            raise Changed("it was written to")
        self._check_readers(entry, status)
        if not self._inodes[file]:
            self._inodes[file] = status.st_ino
            self._ctimes[file] = status.st_ctime_ns
            settle(status.st_ctime_ns)
        elif status.st_ino != self._inodes[file]:
            raise Changed("it was replaced")
        elif status.st_ctime_ns != self._ctimes[file]:
            raise Changed("it was written to, or its attributes changed")

    def _check_readers(self, entry: int, status: os.stat_result) -> None:
        """Raise Changed unless the open file has the owner and the mode that targets give to its contents."""
        manifest = self._manifest
        mode = changed_mode(status.st_mode, self._mode_changes) if self._mode_changes else status.st_mode
        scanned = manifest.uids[entry], manifest.gids[entry], manifest.modes[entry]
        if (status.st_uid, status.st_gid, mode) != scanned:
            raise Changed("its owner or mode changed, or it was replaced")

    def _give_up(self, file: int, error: OSError) -> None:
        self.changed[file] = Fault.of(error)
        self._fds.close(file)


def _is_same(before: os.stat_result, after: os.stat_result) -> bool:
    """Return whether two looks at one open file show the same kind, mode, links, owner, size and times of change."""
    times = before.st_mtime_ns, before.st_ctime_ns
    return before[:7] == after[:7] and times == (after.st_mtime_ns, after.st_ctime_ns)
