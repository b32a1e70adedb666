"""The selection: what of the source is taken, and how it is changed on the way; known to the master only."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mrsync.tree.fs.owners import NewOwner
from mrsync.tree.source.modes import ModeChange

if TYPE_CHECKING:
    from mrsync.tree.filter.rules import Rule


# (device, inode) of directories that the source must not hold, the name empty, or in which it must not hold a name;
# with the path of what is there, to print.
OffLimits = dict[tuple[int, int], dict[bytes, bytes]]


class Selection(NamedTuple):
    """mode_changes, user, group: what all entries get instead of their own (--chmod, --chown).

    rules: filter rules of both sides, in order. has_nuls: entries of their per-directory merge files end in NUL.
    size_min, size_max: bytes; files of other sizes are left alone. is_one_file_system: directories on others are taken
    without what is in them. files: paths of --files-from, nothing else is taken; is_recursive: with all below them.
    ignores_errors: targets delete even if something could not be read. off_limits: where destinations on this host are.
    Only what is listed is taken, if one of these is given. patterns: as the shell knows them. synclist: the path of
    one. rsync_options: more options for rsync's dry run, whose output is the list; None: rsync is not asked.
    """

    mode_changes: tuple[ModeChange, ...] = ()
    user: NewOwner | None = None
    group: NewOwner | None = None
    ignores_errors: bool = False
    rules: tuple[Rule, ...] = ()
    has_nuls: bool = False
    size_min: int = 0
    size_max: int | None = None
    is_one_file_system: bool = False
    files: tuple[bytes, ...] | None = None
    is_recursive: bool = False
    patterns: tuple[bytes, ...] = ()
    synclist: bytes = b""
    rsync_options: tuple[str, ...] | None = None
    off_limits: OffLimits = {}  # noqa: RUF012

    @property
    def is_list(self) -> bool:
        """Whether only what is listed is taken."""
        return bool(self.patterns or self.synclist) or self.rsync_options is not None

    @property
    def takes_everything(self) -> bool:
        """Nothing is left out, whatever is listed."""
        return not (self.rules or self.has_size_limit or self.is_one_file_system or self.files is not None)

    @property
    def has_size_limit(self) -> bool:
        return self.size_min > 0 or self.size_max is not None
