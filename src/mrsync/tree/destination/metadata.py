"""Set owner, mode, extended attributes and time of entries, each as far as the file system accepts it."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import compress
from operator import ne
from typing import TYPE_CHECKING

from mrsync.tree.destination.refusals import GROUP, MODE, OWNER, TIME, Refusals
from mrsync.tree.fs.handles import Handle, Opened
from mrsync.tree.fs.owners import Ownership
from mrsync.tree.model.manifest import DIRECTORY, LINK, Manifest
from mrsync.tree.model.status_table import GIDS, MODES, MTIMES, UIDS, Statuses, StatusRows, statuses_of
from mrsync.tree.model.times import file_window, is_kept_time, is_safe_time, is_same_time
from mrsync.tuples import NamedTuple

if TYPE_CHECKING:
    from mrsync.tree.destination.xattr_sync import XattrSync

_NOBODY = (-1, -1)  # of chown: change neither user nor group
_GIVEN_AWAY = 0o1777  # mode bits kept if the owner is wrong: without set-ID bits, it cannot run as another user


class Given(NamedTuple):
    """The result of `Metadata.give`. is_right: all attributes are as wanted. status: the entry's status afterwards."""

    is_right: bool
    status: os.stat_result


class Metadata:
    """Set the attributes that a manifest gives to entries. Refusals are noted and do not stop the rest.

    xattrs: extended attributes, or None if the policy preserves none.
    """

    def __init__(self, manifest: Manifest, ownership: Ownership, refusals: Refusals, xattrs: XattrSync | None) -> None:
        self._manifest = manifest
        self._ownership = ownership
        self._refusals = refusals
        self._xattrs = xattrs
        self._now = time.time_ns()
        self._owner_of_new = ownership.settable(os.geteuid(), os.getegid())  # owner of a new file, in most directories
        self._window = file_window(manifest.policy)

    def give(self, entry: int, handle: Handle, found: os.stat_result | None = None) -> Given:
        """Set all attributes, in an order in which no step undoes an earlier one: owner, mode, ACL, time.

        entry: whose attributes they are. handle: of the file. found: its present status, if known; attributes that are
        already right are left alone. Raise OSError only if the status cannot be read afterwards.
        """
        refused: set[str] = set()
        self._give_owner_and_mode(entry, handle, found, refused)
        self._give_time(entry, handle, found, refused)
        status = handle.status()
        return Given(self._is_given(entry, status, refused), status)

    def give_new(self, entries: Sequence[int], fds: Sequence[int]) -> Statuses:
        """Set all attributes of open regular files that this process made, at most ROWS, and return their statuses.

        This is `give` for the usual case, with as few calls as possible, because every staged file needs it. Owners
        that new files have anyway are not set. Raise OSError only if a status cannot be read afterwards.
        """
        left: Sequence[int] = range(len(fds))
        if self._xattrs is None:
            with suppress(OSError):  # whatever was refused is wrong in the statuses
                self._set_plainly(entries, fds)
            statuses = statuses_of(fds)
            left = self._unlike(entries, statuses)
            if not left:
                return statuses
        for row in left:
            self.give(entries[row], Opened(fds[row]))
        return StatusRows([os.fstat(fd) for fd in fds])

    def _set_plainly(self, entries: Sequence[int], fds: Sequence[int]) -> None:
        """Set owners, modes and times of new files. Raise OSError for the first refusal."""
        manifest = self._manifest
        owners = [(manifest.uids[entry], manifest.gids[entry]) for entry in entries]
        settable = {owner: self._ownership.settable(*owner) for owner in set(owners)}
        if not {self._owner_of_new, _NOBODY}.issuperset(settable.values()):
            for fd, owner in zip(fds, owners):
                if settable[owner] not in (self._owner_of_new, _NOBODY):
                    os.fchown(fd, *settable[owner])
        for fd, entry in zip(fds, entries):
            os.fchmod(fd, manifest.modes[entry] & 0o7777)
            os.utime(fd, ns=(self._now, manifest.mtime_ns(entry)))

    def _unlike(self, entries: Sequence[int], statuses: Statuses) -> list[int]:
        """Return the rows of which owner, mode or time is not that of the entry."""
        manifest = self._manifest
        columns = (
            (manifest.uids.__getitem__, statuses.column(UIDS)),
            (manifest.gids.__getitem__, statuses.column(GIDS)),
            (manifest.modes.__getitem__, statuses.column(MODES)),
            (manifest.mtime_ns, statuses.times(MTIMES)),
        )
        rows = range(len(entries))
        return sorted(
            {row for wanted, found in columns for row in compress(rows, map(ne, map(wanted, entries), found))}
        )

    def give_time(self, entry: int, handle: Handle) -> bool:
        """Set only the time, and return whether that worked."""
        refused: set[str] = set()
        self._give_time(entry, handle, None, refused)
        return not refused

    def _give_owner_and_mode(self, entry: int, handle: Handle, found: os.stat_result | None, refused: set[str]) -> None:
        manifest = self._manifest
        owner = self._ownership.settable(manifest.uids[entry], manifest.gids[entry])
        is_owned = owner == _NOBODY or (
            found is not None and owner[0] in (-1, found.st_uid) and owner[1] in (-1, found.st_gid)
        )
        if not is_owned:
            self._give_owner(entry, handle, owner, refused)
        kind, mode = manifest.kind(entry), manifest.modes[entry] & 0o7777
        if refused and kind != DIRECTORY:
            mode &= _GIVEN_AWAY
        is_right = is_owned and found is not None and found.st_mode & 0o7777 == mode

        def set_mode() -> None:
            if kind != LINK:
                self._attempt(MODE, entry, refused, lambda: handle.chmod(mode))

        if self._xattrs is not None:
            self._xattrs.set(entry, handle, set_mode)
        elif not is_right:
            set_mode()

    def _give_owner(self, entry: int, handle: Handle, owner: tuple[int, int], refused: set[str]) -> None:
        """Set owner and group together; if that is refused, try each alone."""
        try:
            handle.chown(*owner)
        except OSError:
            uid, gid = owner
            if uid != -1:
                self._attempt(OWNER, entry, refused, lambda: handle.chown(uid, -1))
            if gid != -1:
                self._attempt(GROUP, entry, refused, lambda: handle.chown(-1, gid))

    def _give_time(self, entry: int, handle: Handle, found: os.stat_result | None, refused: set[str]) -> None:
        manifest = self._manifest
        if not self._is_timed(entry):
            return
        wanted = manifest.mtime_ns(entry)
        if found is None or not is_same_time(wanted, found.st_mtime_ns, self._window):
            self._attempt(TIME, entry, refused, lambda: handle.utime(self._now, wanted))

    def _attempt(self, attribute: str, entry: int, refused: set[str], operation: Callable[[], None]) -> None:
        try:
            operation()
        except OSError as error:
            refused.add(attribute)
            self._refusals.note(attribute, error.errno or 0, entry)

    def _is_given(self, entry: int, status: os.stat_result, refused: set[str]) -> bool:
        """Check the result and note what is wrong: some file systems accept a change and ignore it."""
        manifest = self._manifest
        uid, gid, wanted = manifest.uids[entry], manifest.gids[entry], manifest.mtime_ns(entry)
        found = (status.st_uid, status.st_gid, status.st_mode, status.st_mtime_ns)
        if found == (uid, gid, manifest.modes[entry], wanted):  # the usual case, decided quickly
            return not refused
        uid, gid = self._ownership.settable(uid, gid)
        wrong = set(refused)
        if uid not in (-1, status.st_uid):
            wrong.add(OWNER)
        if gid not in (-1, status.st_gid):
            wrong.add(GROUP)
        if not wrong and manifest.kind(entry) != LINK and (manifest.modes[entry] ^ status.st_mode) & self._mode_bits:
            wrong.add(MODE)
        if (
            self._is_timed(entry)
            and not is_kept_time(wanted, status.st_mtime_ns)
            and not self._is_in_window(wanted, status)
        ):
            wrong.add(TIME)
        for attribute in wrong - refused:
            self._refusals.note(attribute, _reason_of(attribute, wanted), entry)
        return not wrong

    def _is_timed(self, entry: int) -> bool:
        """Return whether the time of an entry is set."""
        kind, policy = self._manifest.kind(entry), self._manifest.policy
        return not ((kind == DIRECTORY and policy.omit_dir_times) or (kind == LINK and policy.omit_link_times))

    def _is_in_window(self, wanted: int, status: os.stat_result) -> bool:
        return self._window >= 0 and is_same_time(wanted, status.st_mtime_ns, self._window)

    @property
    def _mode_bits(self) -> int:
        """The mode bits to check. The kernel drops special bits of files of ordinary users; like rsync, accept that."""
        return 0o7777 if self._ownership.is_root else 0o777


def _reason_of(attribute: str, time_ns: int) -> int:
    """Return an errno for a change that was accepted but had no effect."""
    return errno.EOVERFLOW if attribute == TIME and not is_safe_time(time_ns) else errno.EOPNOTSUPP
