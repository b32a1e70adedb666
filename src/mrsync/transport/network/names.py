"""Look up the addresses of all host names in parallel, because a resolver may take many seconds for an unknown one."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterable
from queue import Empty, SimpleQueue
from typing import Callable, Union

WORKERS_MAX = 64
WAIT_S = 6.0  # longest time for all lookups; a resolver waits 5 s for each server

_Address = tuple[str, int]  # numeric address, and the index of its interface (0: not link-local)
_Found = dict[int, Union[_Address, OSError]]  # by family

_FAMILIES = (socket.AF_INET, socket.AF_INET6)
_known: dict[str, _Found] = {}  # kept, because a second lookup in the same run may give another answer


def look_up_all(names: Iterable[str], real_name: Callable[[str], str | None], wait_s: float = WAIT_S) -> None:
    """Look up all names in parallel, for `address_of`. Those that had no address in an earlier run are tried again.

    real_name: returns another name to try for one without an address, or None. wait_s: longest time for all of them.
    """
    unknown = SimpleQueue[str]()
    answers = SimpleQueue[tuple[str, _Found]]()
    waiting = {name for name in names if name not in _known or not _has_address(_known[name])}
    for name in waiting:
        unknown.put(name)

    def work() -> None:
        while True:
            try:
                name = unknown.get_nowait()
            except Empty:
                return
            answers.put((name, _find(name, real_name)))

    for _ in range(min(WORKERS_MAX, len(waiting))):
        threading.Thread(target=work, name="names", daemon=True).start()
    deadline = time.monotonic() + wait_s
    while waiting:
        try:
            name, found = answers.get(timeout=max(0.0, deadline - time.monotonic()))
        except Empty:
            break
        _known[name] = found
        waiting.discard(name)
    for name in waiting:
        _known[name] = dict.fromkeys(_FAMILIES, socket.gaierror(socket.EAI_AGAIN, "no answer came in time"))


def address_of(name: str, family: int) -> _Address:
    """Return the first address of this family. Raise OSError or socket.gaierror."""
    if name not in _known:
        _known[name] = _look_up(name)
    found = _known[name][family]
    if isinstance(found, OSError):
        raise found
    return found


def _find(name: str, real_name: Callable[[str], str | None]) -> _Found:
    found = _look_up(name)
    if _has_address(found):
        return found
    other = real_name(name)
    return found if other in (None, name) else _look_up(str(other))


def _has_address(found: _Found) -> bool:
    return any(not isinstance(address, OSError) for address in found.values())


def _look_up(name: str) -> _Found:
    """Look up both families with one query."""
    try:
        rows = socket.getaddrinfo(name, None, socket.AF_UNSPEC, socket.SOCK_DGRAM)
    except OSError as error:
        return dict.fromkeys(_FAMILIES, error)
    nothing = socket.gaierror(socket.EAI_NONAME, "no address of this family")
    found: _Found = dict.fromkeys(_FAMILIES, nothing)
    for family, *_, place in reversed(rows):  # so that the first one remains
        if family in found:
            found[family] = str(place[0]).partition("%")[0], int(place[3]) if len(place) == 4 else 0
    return found
