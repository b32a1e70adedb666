"""Decide which files may get new attributes in place, and which are staged anew because others may control them."""

from __future__ import annotations

import os
import stat

from mrsync.files import CAUTIOUS, may_others_write
from mrsync.tree.destination.destination import Destination
from mrsync.tree.fs.temporary_names import link_name
from mrsync.tree.model.items import ACL, GROUP, MODE, USER, XATTR
from mrsync.tree.model.manifest import Manifest
from mrsync.tuples import NamedTuple

_SPECIAL = stat.S_ISUID | stat.S_ISGID
_PROBED_MODE = 0o6600


class _Powers(NamedTuple):
    """The owners and modes that a file system lets us set."""

    owners: bool
    modes: bool


class UpdateSafety:
    """Decides for files whose size and time, or digest, are those of the source's.

    Size and time can be forged: a user who may write to a directory can put a file of their own there, or rename one of
    root's. Such a file gets no attributes in place that would give its owner more rights than before. It is staged anew
    instead, from its own blocks where their digests are right, so that nothing is cast, and a user who has the old file
    open, or has another name of it, does not get the new one.
    """

    def __init__(self, manifest: Manifest, destination: Destination) -> None:
        self._manifest = manifest
        self._destination = destination
        self._shared: dict[int, bool] = {}
        self._powers: dict[tuple[int, int], _Powers] = {}

    def allows(self, entry: int, status: os.stat_result, differences: int, names: int) -> bool:
        """Return whether a file of this status may be changed in place.

        differences: flags of what is to be changed. names: how many names the file has in the manifest.
        """
        if not stat.S_ISREG(status.st_mode) or status.st_nlink > names:
            return False
        manifest = self._manifest
        uid, gid = self._destination.ownership.settable(manifest.uids[entry], manifest.gids[entry])
        mode = manifest.modes[entry] & 0o7777
        if uid not in (-1, status.st_uid) and status.st_uid != os.geteuid():
            return not self._probe(entry, status.st_dev).owners
        if self._is_made_special(entry, mode, status, differences, has_group=gid != -1):
            powers = self._probe(entry, status.st_dev)
            is_refused = uid not in (-1, status.st_uid) and not powers.owners  # and then no special mode is given
            return is_refused or not powers.modes
        is_widened = differences & (USER | GROUP | ACL) or mode & ~status.st_mode & 0o077
        return not (is_widened and status.st_uid in (0, os.geteuid()) and self._is_shared(manifest.parents[entry]))

    def _is_made_special(
        self, entry: int, mode: int, status: os.stat_result, differences: int, *, has_group: bool
    ) -> bool:
        """Return whether the change grants setuid or setgid rights or capabilities, or alters whose they are."""
        special = mode & (_SPECIAL if has_group else stat.S_ISUID)
        if special and (special & ~status.st_mode or differences & (USER | GROUP | MODE)):
            return True
        kept = self._destination.xattrs
        return kept is not None and bool(differences & (USER | XATTR)) and kept.wants_capabilities(entry)

    def _is_shared(self, directory: int) -> bool:
        """Whether others may put files of root's into a directory, by renaming them or a directory above."""
        if directory not in self._shared:
            fd = self._destination.directories.open(directory)
            above = directory != 0 and self._is_shared(self._manifest.parents[directory])
            self._shared[directory] = above or may_others_write(os.fstat(fd))
        return self._shared[directory]

    def _probe(self, entry: int, device: int) -> _Powers:
        """Return which owners and modes the entry's file system really sets; ignored ones give nobody any rights."""
        key = device, self._manifest.uids[entry]  # a user namespace lets us give some owners only
        if key not in self._powers:
            self._powers[key] = self._try_out(entry)
        return self._powers[key]

    def _try_out(self, entry: int) -> _Powers:
        if self._destination.is_dry_run:
            return _Powers(owners=False, modes=False)  # nothing is given
        manifest = self._manifest
        directory_fd = self._destination.directories.open(manifest.parents[entry])
        before = os.fstat(directory_fd)
        name = link_name(os.urandom(8).hex().encode(), 0)
        try:
            fd = os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL | CAUTIOUS, 0o600, dir_fd=directory_fd)
        except OSError:
            return _Powers(owners=True, modes=True)  # unknown; staging will report the error
        try:
            return _powers_over(fd, manifest.uids[entry])
        finally:
            os.close(fd)
            os.unlink(name, dir_fd=directory_fd)
            os.utime(directory_fd, ns=(before.st_atime_ns, before.st_mtime_ns))


def _powers_over(fd: int, uid: int) -> _Powers:
    """Try which owners and modes an open file of ours accepts."""
    wanted = uid or 1  # the file belongs to root already, so try another owner
    try:
        os.fchown(fd, wanted, -1)
        owners = os.fstat(fd).st_uid == wanted
    except OSError:
        owners = False
    try:
        os.fchmod(fd, _PROBED_MODE)
        modes = os.fstat(fd).st_mode & 0o7777 == _PROBED_MODE
    except OSError:
        modes = False
    return _Powers(owners, modes)
