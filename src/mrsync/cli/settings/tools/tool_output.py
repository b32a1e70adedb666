"""How doctor, verify and rtt present their results."""

from __future__ import annotations

import argparse

from mrsync.cli.settings.places import doubts_of_dest
from mrsync.cli.settings.target_options import remarks_on
from mrsync.remote.targets import Targets
from mrsync.run.observer import Notice
from mrsync.tuples import NamedTuple


class ToolOutput(NamedTuple):
    """How to present the result of a tool. remarks: to print first. is_quiet: print nothing if all is well."""

    progress: str
    is_json: bool
    verbosity: int
    remarks: tuple[Notice, ...]
    is_quiet: bool = False

    @classmethod
    def of(cls, options: argparse.Namespace, targets: Targets) -> ToolOutput:
        """Return what the options say."""
        is_quiet = getattr(options, "quiet", False)  # rtt has no such option: its result is all it is for
        doubts = (Notice(0, f"warning: {doubt}") for doubt in doubts_of_dest(getattr(options, "dest", None) or ""))
        return cls(options.progress, options.json, options.verbose, (*remarks_on(targets), *doubts), is_quiet)
