"""Look up single paths of the source, to interpret a text that mentions them."""

from __future__ import annotations

import os

from mrsync.tree.fs.directories import Directories
from mrsync.tree.lists.synclist import checked_path
from mrsync.tree.model.columns import PathTree
from mrsync.tree.source.roots import open_source


class SourceLookup:
    """Look up paths of a source, never through a link. Raises SelectionError if the root cannot be read."""

    def __init__(self, root: bytes) -> None:
        self._root_fd = open_source(root)
        self._tree = PathTree()
        self._directories = Directories(self._root_fd, self._tree.names, self._tree.parents)

    def status(self, path: bytes) -> os.stat_result | None:
        """Return the status as lstat does, or None if there is nothing at the path or it is not valid."""
        try:
            path = checked_path(path)
            if not path:
                return os.fstat(self._root_fd)
            return os.stat(os.path.basename(path), dir_fd=self._parent(path), follow_symlinks=False)
        except (OSError, ValueError):
            return None

    def link_target(self, path: bytes) -> bytes:
        """Return the target of a soft link, or b"" if the path is not one."""
        try:
            path = checked_path(path)
            return os.readlink(os.path.basename(path), dir_fd=self._parent(path)) if path else b""
        except (OSError, ValueError):
            return b""

    def close(self) -> None:
        self._directories.close()
        os.close(self._root_fd)

    def _parent(self, path: bytes) -> int:
        return self._directories.open(self._tree.add(os.path.dirname(path)))
