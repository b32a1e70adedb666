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


class Operand(NamedTuple):
    """A directory, and the names in it that are SOURCEs; None: all that is in it, and its own attributes."""

    root: bytes
    names: tuple[bytes, ...] | None = None


class Selection(NamedTuple):
    """mode_changes, user, group: what all entries get instead of their own (--chmod, --chown).

    rules: filter rules of both sides, in order. has_nuls: entries of their per-directory merge files end in NUL.
    size_min, size_max: bytes; files of other sizes are left alone. is_one_file_system: directories on others are taken
    without what is in them. files: paths of --files-from, nothing else is taken; is_recursive: with all below them.
    ignores_errors: targets delete even if something could not be read. off_limits: where destinations on this host are.
    operands: several SOURCEs, or one that is not all of a directory; of what has the same path the first counts.
    ignores_missing: a SOURCE that is not there is no error.
    Of soft links what they lead to is taken: copies_links: of all; copies_unsafe_links: of those that lead out of the
    source; copies_dir_links: of those to directories. skips_unsafe_links: those that lead out of it are left alone.
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
    operands: tuple[Operand, ...] = ()
    ignores_missing: bool = False
    copies_links: bool = False
    copies_unsafe_links: bool = False
    copies_dir_links: bool = False
    skips_unsafe_links: bool = False

    @property
    def is_list(self) -> bool:
        """Whether only what is listed is taken."""
        return bool(self.patterns or self.synclist) or self.rsync_options is not None

    @property
    def takes_everything(self) -> bool:
        """Nothing is left out, whatever is listed."""
        return not (self.rules or self.has_size_limit or self.is_one_file_system or self.files is not None)

    @property
    def judges_links(self) -> bool:
        """Whether soft links are not just taken as such."""
        return self.copies_links or self.copies_unsafe_links or self.copies_dir_links or self.skips_unsafe_links

    @property
    def has_size_limit(self) -> bool:
        return self.size_min > 0 or self.size_max is not None
