"""The selection: what is taken from the source, and how it is changed on the way. Only the master knows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mrsync.tree.source.modes import ModeChange
from mrsync.tuples import NamedTuple

if TYPE_CHECKING:
    from mrsync.tree.filter.rules import Rule


# Destinations on this host, which the source must not contain: (device, inode) of a directory -> {name: path to print}.
# An empty name means the directory itself, another name a missing destination in it.
OffLimits = dict[tuple[int, int], dict[bytes, bytes]]


OMITS_MOUNTS = 2  # of Selection.one_file_system


class Operand(NamedTuple):
    """One SOURCE directory. names: the SOURCEs in it; None: everything in it, and its own attributes."""

    root: bytes
    names: tuple[bytes, ...] | None = None


class Selection(NamedTuple):
    """The choice of what is taken from the source.

    mode_changes: replace the mode of all entries (--chmod).
    ignores_errors: targets delete even if something could not be read.
    rules: filter rules for both sides, in order.
    has_nuls: per-directory merge files separate entries by NUL.
    size_min, size_max: bytes; files of other sizes are skipped.
    one_file_system: 1: directories on other file systems are taken as empty ones; 2: they are omitted.
    files: the paths of --files-from; nothing else is taken.
    is_recursive: take them with everything below.
    off_limits: the destinations on this host.
    operands: several SOURCEs, or one that is not a whole directory; for equal paths the first counts.
    ignores_missing: a missing SOURCE or path of `files` is not an error.
    deletes_missing: targets delete it.
    copies_links, copies_unsafe_links, copies_dir_links: follow all soft links, those that lead out of the source, or
    those to directories.
    skips_unsafe_links: omit those that lead out of it.
    takes_links: not all soft links are omitted.

    If one of the following is given, only listed entries are taken. patterns: shell patterns. synclist: path of a
    synclist. rsync_options: additional options for rsync's dry run, whose output is the list; None: no dry run.
    """

    mode_changes: tuple[ModeChange, ...] = ()
    ignores_errors: bool = False
    rules: tuple[Rule, ...] = ()
    has_nuls: bool = False
    size_min: int = 0
    size_max: int | None = None
    one_file_system: int = 0
    files: tuple[bytes, ...] | None = None
    is_recursive: bool = False
    patterns: tuple[bytes, ...] = ()
    synclist: bytes = b""
    rsync_options: tuple[str, ...] | None = None
    off_limits: OffLimits = {}  # noqa: RUF012
    operands: tuple[Operand, ...] = ()
    ignores_missing: bool = False
    deletes_missing: bool = False
    copies_links: bool = False
    copies_unsafe_links: bool = False
    copies_dir_links: bool = False
    skips_unsafe_links: bool = False
    takes_links: bool = True

    @property
    def is_list(self) -> bool:
        """Whether only listed entries are taken."""
        return bool(self.patterns or self.synclist) or self.rsync_options is not None

    @property
    def takes_everything(self) -> bool:
        """Whether nothing is excluded."""
        return not (self.rules or self.has_size_limit or self.one_file_system or self.files is not None)

    @property
    def has_link_policy(self) -> bool:
        """Whether some soft links are followed or omitted."""
        follows = self.copies_links or self.copies_unsafe_links or self.copies_dir_links
        return follows or self.skips_unsafe_links or not self.takes_links

    @property
    def has_size_limit(self) -> bool:
        return self.size_min > 0 or self.size_max is not None
