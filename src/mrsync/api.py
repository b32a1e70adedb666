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
from collections.abc import Callable, Iterable, Mapping
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
PATH_TYPES = (str, bytes, os.PathLike)

# Options that are useful only for a command with a terminal, files or a process of its own.
FOR_PROGRAMS = {"progress", "report", "metrics", "stats", "log-file", "log-format", "verbose", "help", "version"}


def sync(
    source: PathLike,
    targets: PathLike | Iterable[PathLike],
    dest: PathLike | None = None,
    *,
    on_event: Callable[[Event], None] | None = None,
    progress_interval_s: float = 1.0,
    stop: Stop | None = None,
    **options: Any,
) -> Result:
    """Make `dest` on all targets equal to `source`, and return the result.

    source: a local directory.
    targets: host names as for -m, or an iterable of them.
    dest: a directory on the targets, which may contain {host}; default: same as source.
    on_event: called in this thread with each Notice, and every progress_interval_s seconds with a Snapshot of all
    targets; an exception from it ends the run.
    stop: call stop.request("reason") in any thread or signal handler to end the run with exit status 20.
    options: long options of mrsync with underscores, such as dry_run=True, exclude=["*.o"], rsh="local"; None leaves an
    option unset.

    Targets that fail raise nothing; look at `exit_status` and `incomplete` of the result. Raise MrsyncError
    (UsageError, SelectionError, SocketError, ...) if the run cannot begin; one that ends a run later is its `failure`.
    """
    from mrsync.run.cast.cast import cast

    if on_event is not None and not callable(on_event):
        raise UsageError("on_event: it must be a function")
    if not isinstance(progress_interval_s, int | float):
        raise UsageError("progress_interval_s: it must be a number")
    if not isinstance(stop, Stop | None):
        raise UsageError("stop: it must be a mrsync.Stop")
    settings, _ = parse_mrsync(_arguments(source, targets, dest, options), reads_files=False)
    return cast(settings, _Listener(on_event, progress_interval_s), stop or Stop())


def _arguments(
    source: PathLike, targets: PathLike | Iterable[PathLike], dest: PathLike | None, options: dict[str, Any]
) -> list[str]:
    """Return the request as words of a command line, because its parser knows names, types, ranges and conflicts."""
    words = [f"--targets={_names(targets)}", f"--source={_text('source', source)}"]
    if dest is not None:
        words.append(f"--dest={_text('dest', dest)}")
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


def _names(targets: PathLike | Iterable[PathLike]) -> str:
    """Return target names as -m has them."""
    if isinstance(targets, PATH_TYPES) or not isinstance(targets, Iterable):
        return _text("targets", targets)
    return ",".join(_text("targets", each) for each in targets)


def _text(keyword: str, value: object) -> str:
    """Return a path or name as a text. Raise UsageError if it is neither."""
    if not isinstance(value, PATH_TYPES):
        raise UsageError(f"{keyword}: it must be a string, bytes or a path, not {type(value).__name__}")
    return os.fsdecode(value)


def _opposite(keyword: str, value: object) -> bool:
    """Return what no_NAME=value means for NAME."""
    if not isinstance(value, bool):
        raise UsageError(f"{keyword}: it must be true or false")
    return not value


def _plain(value: object) -> object:
    """Return a value as settings files have it: a path is a text, and what has several values is a list."""
    if isinstance(value, PATH_TYPES):
        return os.fsdecode(value)
    if isinstance(value, Iterable) and not isinstance(value, Mapping):
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
