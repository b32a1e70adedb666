"""Scan only the paths of a --files-from list, with the directories above them."""

from __future__ import annotations

import errno
import os
import stat
from array import array
from collections.abc import Container, Iterator
from contextlib import suppress

from mrsync.tree.model.columns import PathTree
from mrsync.tree.model.failure import Failure
from mrsync.tree.model.limits import KIND_SHIFT
from mrsync.tree.model.listing import Listing
from mrsync.tree.model.manifest import DIRECTORY, Manifest
from mrsync.tree.source.roots import Roots
from mrsync.tree.source.scanner import FIND, Scanner
from mrsync.tree.source.selection import Selection

_NOWHERE = -1  # in place of a number: no listed path leads here


class FilesFromScanner(Scanner):
    """Scanner that walks only along listed paths.

    A path that ends in a slash stands for a directory and its direct children; with selection.is_recursive, every
    listed directory is scanned completely. Deletions are limited to such directories. Filter rules, except those of
    per-directory merge files, apply to listed paths, but not to the directories above them. Links that paths lead
    through become directories, as for rsync. A missing path, and a link that leads back to itself and is listed with a
    slash, are errors.
    """

    def __init__(self, roots: Roots, manifest: Manifest, selection: Selection) -> None:
        super().__init__(roots, manifest, selection)
        self._tree = PathTree()
        self._listed: set[int] = set()
        self._opened: set[int] = set()  # listed with a slash at its end
        is_root_told = False
        for entry in selection.files or ():
            path, is_opened = normalized(entry)
            is_root_told = is_root_told or not path or entry.startswith(b"./")
            if not path or self._is_taken(path, is_opened=is_opened):
                number = self._tree.add(path)
                self._listed.add(number)
                if is_opened:
                    self._opened.add(number)
        manifest.policy = manifest.policy._replace(leaves_root=not is_root_told)
        self._places = array("i", [0])  # entry -> number in _tree
        self._whole = {0} if selection.is_recursive and 0 in self._listed else set()  # directory entries

    def _add_root(self) -> None:
        if self._manifest.policy.leaves_root:
            self._add_made_root(self._root_fd)
        else:
            super()._add_root()

    def _is_taken(self, path: bytes, *, is_opened: bool) -> bool:
        """Return whether a listed path exists and no rule excludes it. is_opened: it has a slash at the end."""
        try:
            mode = os.stat(path, dir_fd=self._root_fd, follow_symlinks=False).st_mode
            if is_opened and stat.S_ISLNK(mode):
                _check_link(self._root_fd, path)
        except OSError as error:
            above = os.path.dirname(path)
            is_vanished = above and not _is_directory(self._root_fd, above, follows=True)  # rsync deletes nothing then
            if is_vanished and not self._selection.ignores_missing:
                self._errors.append(Failure.of(error, path, FIND))
            elif not is_vanished:
                self._note_missing(error.errno or 0, path, path)
            return False
        source_filter = self._source_filter()
        if source_filter is None:
            return True
        is_followed = is_opened or self._selection.copies_links or self._selection.copies_dir_links
        is_directory = stat.S_ISDIR(mode) or (is_followed and _is_directory(self._root_fd, path, follows=True))
        return not source_filter.is_excluded(path, is_directory=is_directory)

    def _list(self, directory: int, fd: int) -> Listing:
        number = self._places[directory]
        known = self._tree.children.get(number, {})
        is_open = directory in self._whole or number in self._opened
        if self._mounts.is_foreign(directory, fd, is_recursed=self._is_recursed(directory)) or not is_open:
            is_open = False
            self._manifest.incomplete.add(directory)
        names = None if is_open else sorted(known)
        listing = Listing(fd, names, finds_holes=True, has_identities=self._manifest.policy.partial)
        self._apply_link_policy(directory, fd, listing)
        passed = self._follow(fd, listing, known)
        self._mounts.omit(fd, listing, known)
        self._drop_obstacles(directory, listing, known)
        excluded: Container[bytes] = ()
        source_filter = self._source_filter()
        if source_filter is not None:
            excluded = source_filter.take(directory, self._manifest.path(directory), listing, known or None)
        for entry, name in enumerate(listing.names, len(self._manifest)):
            number = known.get(name, _NOWHERE)
            self._places.append(number)
            is_below = directory in self._whole and name not in excluded
            if name not in passed and (is_below or (self._selection.is_recursive and number in self._listed)):
                self._whole.add(entry)
        return listing

    def _follow(self, fd: int, listing: Listing, known: dict[bytes, int]) -> set[bytes]:
        """Replace links to directories by the directories, if they are listed with a slash or paths lead through them.

        known: numbers of the listed names in the directory, which is open as fd. Return the names of those links that
        paths lead through only: nothing else of their directories is listed.
        """
        passed = set()
        for position in list(listing.links):
            name = listing.names[position]
            number = known.get(name, _NOWHERE)
            if number in self._opened or number in self._tree.children:
                with suppress(OSError):  # a link to nothing stays one
                    status = os.stat(name, dir_fd=fd)
                    if stat.S_ISDIR(status.st_mode):
                        listing.follow(position, status)
                        passed.update([] if number in self._opened else [name])
        return passed

    def _is_recursed(self, directory: int) -> bool:
        return directory in self._whole and self._manifest.parents[directory] in self._whole

    def _drop_obstacles(self, directory: int, listing: Listing, known: dict[bytes, int]) -> None:
        """Drop entries that listed paths lead through but that are not directories, with an error for each path."""
        obstacles = {
            name
            for name, mode in zip(listing.names, listing.modes)
            if name in known and mode >> KIND_SHIFT != DIRECTORY and known[name] in self._tree.children
        }
        for name in obstacles:
            paths = self._listed_below(known[name], os.path.join(self._manifest.path(directory), name))
            self._errors += [Failure(errno.ENOTDIR, path, "read") for path in paths]
        if obstacles:
            kept = [i for i, name in enumerate(listing.names) if name not in obstacles or known[name] in self._listed]
            listing.keep(kept)

    def _listed_below(self, number: int, path: bytes) -> Iterator[bytes]:
        """Yield the listed paths below a number, whose path is given."""
        remaining = [(number, path)]
        while remaining:
            number, path = remaining.pop()
            for name, child in self._tree.children.get(number, {}).items():
                remaining.append((child, path + b"/" + name))
                if child in self._listed:
                    yield path + b"/" + name


def _check_link(root_fd: int, path: bytes) -> None:
    """Raise OSError if a soft link can lead nowhere at all, as rsync does."""
    try:
        os.stat(path, dir_fd=root_fd)
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.EACCES):
            raise


def _is_directory(root_fd: int, path: bytes, *, follows: bool = False) -> bool:
    try:
        return stat.S_ISDIR(os.stat(path, dir_fd=root_fd, follow_symlinks=follows).st_mode)
    except OSError:
        return False


def normalized(entry: bytes) -> tuple[bytes, bool]:
    """Return a listed path relative to the root, and whether it includes the children of the directory.

    `..` never leads above the root.
    """
    names: list[bytes] = []
    parts = entry.split(b"/")
    for part in parts:
        if part == b"..":
            del names[-1:]
        elif part not in (b"", b"."):
            names.append(part)
    return b"/".join(names), parts[-1] in (b"", b".", b"..")
