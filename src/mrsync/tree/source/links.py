"""Follow or omit soft links of the source (--copy-links, --safe-links and similar options)."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable

from mrsync.tree.model.listing import Listing
from mrsync.tree.source.selection import Selection

Identity = tuple[int, int]  # device and inode


class LinkPolicy:
    """Apply a selection to the soft links in listings."""

    def __init__(self, selection: Selection) -> None:
        self._selection = selection

    def apply(self, directory_fd: int, listing: Listing, depth: int, is_above: Callable[[Identity], bool]) -> None:
        """Replace links by what they lead to, or omit them, so that targets leave the names alone.

        depth: the number of directories above, within the source. is_above: return whether a directory is one of them;
        following a link to it would never end. A broken link becomes a failure.
        """
        selection = self._selection
        lost: set[int] = set()
        omitted: list[int] = []
        for position, target in list(listing.links.items()):
            is_unsafe = leads_out(target, depth)
            must_follow = selection.copies_links or (selection.copies_unsafe_links and is_unsafe)
            if must_follow or selection.copies_dir_links:
                try:
                    status = _look_behind(directory_fd, listing.names[position], is_above)
                except OSError as error:
                    if must_follow:
                        lost.add(position)
                        reason = errno.ENOLINK if error.errno == errno.ENOENT else error.errno or 0
                        listing.failures.append((reason, listing.names[position]))
                    continue
                if must_follow or stat.S_ISDIR(status.st_mode):
                    listing.follow(position, status)
                    continue
            if not selection.takes_links or (selection.skips_unsafe_links and is_unsafe):
                omitted.append(position)
        if omitted:
            listing.omit(omitted)
        if lost:
            listing.keep([position for position in range(len(listing.names)) if position not in lost])


def leads_out(target: bytes, depth: int) -> bool:
    """Return whether rsync would call a link with this target unsafe. depth: the number of directories above the link.

    A target is unsafe if it is absolute, leads up beyond the root, or has `..` after a name.
    """
    names = target.split(b"/")
    up = 0
    while up < len(names) and names[up] in (b"..", b"") and (names[up] == b".." or up):
        up += 1
    ups = names[:up].count(b"..")
    is_back = b".." in names[up:] or (ups > 1 and target.endswith(b"/.."))
    return not target or target.startswith(b"/") or is_back or ups > depth


def _look_behind(directory_fd: int, name: bytes, is_above: Callable[[Identity], bool]) -> os.stat_result:
    status = os.stat(name, dir_fd=directory_fd)
    if stat.S_ISDIR(status.st_mode) and is_above((status.st_dev, status.st_ino)):
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    return status
