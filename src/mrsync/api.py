"""The Python interface: one function that syncs, with the options of the command line as keyword arguments.

    import mrsync

    result = mrsync.sync("/srv/data", "node[1-20]", "/srv/data", exclude=["*.tmp"], checksum=True)
    for target in result.incomplete:
        print(target.host, target.reason)

It prints nothing and sets no signal handlers. It reads no settings file except the one given as `config`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from mrsync.cli.registry.option import MRSYNC
from mrsync.cli.registry.parser import make_parser
from mrsync.cli.settings.configuration import is_switch, option_words
from mrsync.cli.settings.options import parse_mrsync
from mrsync.errors import UsageError
from mrsync.run.cast.outcome import Outcome
from mrsync.run.observer import Notice, Snapshot
from mrsync.run.stop import Stop

Result: TypeAlias = Outcome
Event: TypeAlias = Notice | Snapshot
PathLike: TypeAlias = str | bytes | os.PathLike[str]

# Options that are useful only for a command with a terminal, files or a process of its own.
FOR_PROGRAMS = {"progress", "report", "metrics", "stats", "log-file", "log-format", "verbose", "help", "version"}


def sync(
    source: PathLike,
    targets: str | Iterable[str],
    dest: PathLike | None = None,
    *,
    on_event: Callable[[Event], None] | None = None,
    progress_interval_s: float = 1.0,
    stop: Stop | None = None,
    **options: Any,
) -> Result:
    """Make `dest` on all targets equal to `source`, and return the result.

    source: a local directory. targets: host names as for -m, or an iterable of names. dest: a directory on the targets,
    which may contain {host}; default: same as source. on_event: called in this thread with each Notice, and every
    progress_interval_s seconds with a Snapshot of all targets; an exception from it ends the run. stop: call
    stop.request("reason") in any thread or signal handler to end the run with exit status 20. options: long options of
    mrsync with underscores, such as dry_run=True, exclude=["*.o"], rsh="local"; None leaves an option unset.

    Targets that fail raise nothing; look at `exit_status` and `incomplete` of the result. Raise MrsyncError
    (UsageError, SelectionError, SocketError, ...) if the run cannot begin.
    """
    from mrsync.run.cast.cast import cast

    settings, _ = parse_mrsync(_arguments(source, targets, dest, options), reads_files=False)
    return cast(settings, _Listener(on_event, progress_interval_s), stop or Stop())


def _arguments(
    source: PathLike, targets: str | Iterable[str], dest: PathLike | None, options: dict[str, Any]
) -> list[str]:
    """Return the request as words of a command line, because its parser knows names, types, ranges and conflicts."""
    if not isinstance(targets, str):
        targets = ",".join(targets)
    words = [f"--targets={targets}", f"--source={os.fsdecode(source)}"]
    if dest is not None:
        words.append(f"--dest={os.fsdecode(dest)}")
    parser = make_parser(MRSYNC)
    given: dict[str, Any] = {}
    for keyword, value in options.items():
        if value is None:
            continue
        name = keyword.rstrip("_").replace("_", "-")
        if name in FOR_PROGRAMS:
            raise UsageError(f"sync() has no option {keyword}: it is for the command line")
        if name.startswith("no-") and is_switch(parser, name.removeprefix("no-")):
            name, value = name.removeprefix("no-"), _opposite(keyword, value)
        given[name] = _plain(value)
    return words + option_words(parser, given)


def _opposite(keyword: str, value: object) -> bool:
    """Return what no_NAME=value means for NAME."""
    if not isinstance(value, bool):
        raise UsageError(f"{keyword}: it must be true or false")
    return not value


def _plain(value: object) -> object:
    """Return a value as settings files have it: a path is a text, and a tuple is a list."""
    if isinstance(value, (bytes, os.PathLike)):
        return os.fsdecode(value)
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return value


class _Listener:
    """Observer that passes everything to one callback."""

    def __init__(self, on_event: Callable[[Event], None] | None, interval_s: float) -> None:
        self._on_event = on_event
        self._interval_s = interval_s
        self.due_at: float | None = None if on_event is None else time.monotonic() + interval_s

    def on_notice(self, notice: Notice) -> None:
        if self._on_event is not None:
            self._on_event(notice)

    def on_snapshot(self, snapshot: Snapshot) -> None:
        self.due_at = time.monotonic() + self._interval_s
        if self._on_event is not None:
            self._on_event(snapshot)
