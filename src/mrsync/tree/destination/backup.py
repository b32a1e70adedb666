"""Keep backups of files that are overwritten or deleted (--backup)."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Callable
from contextlib import suppress
from enum import Enum

from mrsync.errors import ProtocolDataError
from mrsync.files import absolute
from mrsync.tree.destination.backupdir import BackupDirectory
from mrsync.tree.destination.deletion_limit import DeletionLimit
from mrsync.tree.destination.root import place_from
from mrsync.tree.destination.tree_remover import TreeRemover
from mrsync.tree.filter.ere import Patterns
from mrsync.tree.fs.copying import NO_LINKS, copy_entry
from mrsync.tree.fs.temporary_names import backup_name
from mrsync.tree.model.policy import Policy

PATTERNS_BYTES_MAX = 1 << 16
_DEFAULT_SUFFIX = re.compile(r"(.*_mcast_bak)\d{8}", re.DOTALL)


class Fate(Enum):
    """The result of `Backups.move`."""

    NOT_KEPT = "it is not to be kept"
    MOVED = "it is elsewhere now"
    RENAMED = "it has another name in the same directory now"

    @property
    def is_kept(self) -> bool:
        return self is not Fate.NOT_KEPT


class Backups:
    """Keep old versions beside the new ones, or in a directory of their own.

    path: the destination, which is open as root_fd.
    host: replaces {host} in the name of the backup directory.
    suffix: overrides that of the policy.
    spares_all: the rules protect backups also where the next run of this policy would delete them.
    rules: filter rules that protect backups from deletion.
    on_activity: called while a large file is copied.
    on_changed, hidden_mode: see BackupDirectory.

    Raises ProtocolDataError if the policy has an invalid suffix, directory or pattern.
    """

    def __init__(
        self,
        policy: Policy,
        root_fd: int,
        path: bytes,
        *,
        host: str = "",
        suffix: str | None = None,
        spares_all: bool = False,
        on_changed: Callable[[bytes], None] = lambda path: None,
        hidden_mode: Callable[[bytes], int | None] = lambda path: None,
    ) -> None:
        self.on_activity: Callable[[int], None] = lambda count: None
        self.rules: tuple[str, ...] = ()
        self._suffix = os.fsencode(policy.suffix if suffix is None else suffix)
        self._base = os.fsencode(policy.backup_base)
        self._patterns = _compile(policy)
        self._directory: BackupDirectory | None = None
        self._tag = os.urandom(8).hex().encode()
        self._count = 0
        directory = os.fsencode(policy.backup_dir.replace("{host}", host))
        if b"/" in self._suffix or b"\0" in self._suffix + directory or not (self._suffix or directory):
            raise ProtocolDataError("the manifest is damaged: its policy has an impossible suffix")
        if directory:
            place, is_below = place_from(root_fd, directory)
            if not is_below:  # as the kernel reads it, but for a `..` behind what is missing
                place, is_below = place_from(root_fd, absolute(os.path.join(path, place)))
            if not place:
                raise ProtocolDataError("the backup directory is the destination itself")
            outside = b"" if is_below else place
            self._directory = BackupDirectory(root_fd, outside, place if is_below else None, on_changed, hidden_mode)
            if is_below:
                self.rules = (f"P /{_quoted(os.fsdecode(place))}/***",)
        elif policy.deletes and (spares_all or not policy.deletes_excluded):
            self.rules = (_suffix_rule(os.fsdecode(self._suffix)),)

    @property
    def are_beside(self) -> bool:
        """Whether backups lie beside the files that replace them."""
        return self._directory is None

    @property
    def outside_fd(self) -> int:
        """Descriptor of the backup directory if it is open and outside of the destination, else -1."""
        return self._directory.outside_fd if self._directory is not None else -1

    @property
    def outside_path(self) -> bytes:
        """Path of the backup directory if it is outside of the destination, else empty. It need not exist."""
        return self._directory.outside_path if self._directory is not None else b""

    def link(self, fd: int, name: bytes, path: bytes) -> None:
        """Give the entry with this name a second link, so that renaming over the name loses nothing. Raise OSError.

        fd: its directory. path: below the destination's root. Directories are skipped. Where the file system has no
        hard links, the entry is copied.
        """
        try:
            if stat.S_ISDIR(os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode) or not self._is_wanted(path):
                return
        except FileNotFoundError:
            return
        to_fd, kept = self._place(fd, name, path)
        try:
            os.link(name, kept, src_dir_fd=fd, dst_dir_fd=to_fd, follow_symlinks=False)
        except FileExistsError:
            self._replace(fd, name, to_fd, kept)
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            self._replace(fd, name, to_fd, kept)

    def move(self, fd: int, name: bytes, path: bytes) -> Fate:
        """Rename an entry that is about to be deleted, if a backup of it is wanted. Raise OSError.

        fd, name: its directory and its name there; it is not a directory itself. path: below the root, for the rules
        about backups. Return Fate.NOT_KEPT if it was not kept; the caller then deletes it.
        """
        is_backup = self._directory is None and name.endswith(self._suffix)
        if is_backup or not self._is_wanted(path):
            return Fate.NOT_KEPT
        to_fd, kept = self._place(fd, name, path)
        self._make_way(to_fd, kept)
        try:
            os.rename(name, kept, src_dir_fd=fd, dst_dir_fd=to_fd)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            self._replace(fd, name, to_fd, kept)
        # The name is still there after a copy, and after a rename() between two links of one file, which does nothing.
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=fd)
        return Fate.RENAMED if self._directory is None else Fate.MOVED

    def move_directory(self, fd: int, name: bytes) -> bool:
        """Rename a whole directory that is being replaced. Return False if its files must be moved one by one."""
        if self._directory is not None or self._patterns is not None:
            return False
        os.rename(name, name + self._suffix, src_dir_fd=fd, dst_dir_fd=fd)
        return True

    def close(self) -> None:
        if self._directory is not None:
            self._directory.close()

    def _is_wanted(self, path: bytes) -> bool:
        return self._patterns is None or self._patterns.match(self._base + path)

    def _place(self, fd: int, name: bytes, path: bytes) -> tuple[int, bytes]:
        if self._directory is None:
            return fd, name + self._suffix
        return self._directory.open(os.path.dirname(path)), name + self._suffix

    def _replace(self, fd: int, name: bytes, to_fd: int, kept: bytes) -> None:
        """Link or copy to a name that may exist, replacing the backup of an earlier run atomically."""
        self._make_way(to_fd, kept)
        self._count += 1
        temporary = backup_name(self._tag, self._count)
        try:
            os.link(name, temporary, src_dir_fd=fd, dst_dir_fd=to_fd, follow_symlinks=False)
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            copy_entry(fd, name, to_fd, temporary, self.on_activity)
        try:
            os.rename(temporary, kept, src_dir_fd=to_fd, dst_dir_fd=to_fd)
        finally:
            # The temporary name remains if the rename failed, or did nothing because both were links of one file.
            with suppress(FileNotFoundError):
                os.unlink(temporary, dir_fd=to_fd)

    def _make_way(self, to_fd: int, kept: bytes) -> None:
        """Delete an older backup of a directory where a file needs the name, as rsync does with a backup directory."""
        if self._directory is None:
            return
        with suppress(FileNotFoundError):
            if stat.S_ISDIR(os.stat(kept, dir_fd=to_fd, follow_symlinks=False).st_mode):
                TreeRemover(DeletionLimit(Policy())).remove(0, to_fd, kept)


def _compile(policy: Policy) -> Patterns | None:
    if not policy.backup_patterns:
        return None
    texts = list(map(os.fsencode, policy.backup_patterns))
    if sum(map(len, texts)) > PATTERNS_BYTES_MAX:
        raise ProtocolDataError("the manifest is damaged: its backup patterns are too many")
    try:
        return Patterns(texts)
    except ValueError as error:
        raise ProtocolDataError(f"the manifest is damaged: a backup pattern is not valid, {error}") from error


def _suffix_rule(suffix: str) -> str:
    """Return a protect rule like rsync's for --backup.

    The default suffix contains the time of the run, so the rule covers the backups of other runs as well.
    """
    found = _DEFAULT_SUFFIX.fullmatch(suffix)
    return f"P *{_quoted(found[1])}{'[0-9]' * 8}" if found else f"P *{_quoted(suffix)}"


def _quoted(text: str) -> str:
    """Escape text for a filter rule that contains a wildcard."""
    return re.sub(r"([*?[\\])", r"\\\1", text)
