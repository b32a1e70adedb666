"""What the commands mrsync doctor, mrsync verify and rtt have in common: one run, and its result as text or JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

from mrsync.cli.output.progress import make_progress, tell_all
from mrsync.cli.settings.tools.tool_output import ToolOutput
from mrsync.cli.signals import signals_requesting
from mrsync.cli.streams import check_written
from mrsync.errors import ExitStatus
from mrsync.run.observer import Observer
from mrsync.run.stop import Stop

_Outcome = TypeVar("_Outcome")


def run_tool(output: ToolOutput, run: Callable[[Observer, Stop], _Outcome], *, name: str = "mrsync") -> _Outcome:
    """Return the outcome of a run, with a display until it ends. A signal stops it. name: see Progress."""
    progress = "none" if output.is_quiet else output.progress
    with make_progress(progress, output.verbosity, name) as observer:
        tell_all(observer, output.remarks)
        stop = Stop()
        with signals_requesting(stop):
            return run(observer, stop)


def is_told(output: ToolOutput, status: ExitStatus, fields: Callable[[], dict[str, Any]]) -> bool:
    """Print the result as JSON if the user asks for that. Return whether nothing remains to be printed for people.

    So it is in a quiet run where all is well. Raise FileError if the result is lost.
    """
    if output.is_quiet and status == ExitStatus.OK:
        return True
    if output.progress == "json":
        print(json.dumps({"event": "outcome", **fields()}))
    elif output.is_json:
        print(json.dumps(fields(), indent=1))
    else:
        return False
    check_written()
    return True
