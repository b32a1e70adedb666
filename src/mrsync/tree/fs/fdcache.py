"""Keep the most recently used descriptors open."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Container, Iterator
from typing import Callable

from mrsync.files import close_quietly


class FdCache:
    """Descriptors by number of an entry or file; the cache closes them.

    limit: how many are kept. on_evicted: called with (key, fd) before a descriptor is closed to make room. Closing can
    fail, as a network file system may report only then that data could not be written. Such an error is raised for the
    key that it is about: by `get` or `close` if room was made meanwhile.
    """

    def __init__(self, limit: int, on_evicted: Callable[[int, int], None] = lambda key, fd: None) -> None:
        self._limit = limit
        self._on_evicted = on_evicted
        self._fds: OrderedDict[int, int] = OrderedDict()
        self._failed: dict[int, OSError] = {}  # by key: why closing it failed

    def __contains__(self, key: int) -> bool:
        return key in self._fds

    def __iter__(self) -> Iterator[int]:
        return iter(tuple(self._fds))

    def get(self, key: int) -> int | None:
        """Return the descriptor of a key, if it is open, and mark it as recently used."""
        self._raise_failed(key)
        fd = self._fds.get(key)
        if fd is not None:
            self._fds.move_to_end(key)
        return fd

    def put(self, key: int, fd: int, kept: Container[int] = ()) -> None:
        """Take over a descriptor. If there are too many, close the one that was not used for longest.

        kept: keys of descriptors that stay open in any case.
        """
        self._fds[key] = fd
        if len(self._fds) <= self._limit:
            return
        for oldest in self._fds:
            if oldest != key and oldest not in kept:
                self._evict(oldest, self._fds.pop(oldest))
                return

    def close(self, key: int) -> None:
        """Close the descriptor of a key, if it is open."""
        self._raise_failed(key)
        fd = self._fds.pop(key, None)
        if fd is not None:
            os.close(fd)

    def close_all(self) -> None:
        """Close them at the end, when nothing that was written to them is needed any more."""
        while self._fds:
            close_quietly(self._fds.popitem()[1])

    def _evict(self, key: int, fd: int) -> None:
        try:
            try:
                self._on_evicted(key, fd)
            finally:
                os.close(fd)
        except OSError as error:
            self._failed[key] = error

    def _raise_failed(self, key: int) -> None:
        if key in self._failed:
            raise self._failed.pop(key)
