"""What the options of a sync say about its output: what to print, and which files to write."""

from __future__ import annotations

import argparse
import os

from mrsync.cli.output.line_format import problem_of
from mrsync.cli.output.output_files import check_output
from mrsync.cli.registry.option import MULTICASTER
from mrsync.cli.registry.options import fields_of
from mrsync.cli.settings import list_options
from mrsync.cli.settings.places import doubts_of
from mrsync.cli.settings.target_options import remarks_on
from mrsync.errors import UsageError
from mrsync.remote.targets import Targets
from mrsync.run.observer import Notice
from mrsync.tuples import NamedTuple


class Output(NamedTuple):
    """What to print and which files to write."""

    progress: str = "auto"
    has_stats: bool = False
    is_quiet: bool = False
    report: str | None = None  # path of the JSON report
    page: str | None = None  # path of the HTML report
    metrics: str | None = None
    verbosity: int = 0
    remarks: tuple[Notice, ...] = ()  # on what is taken in one way, although another one may be meant
    line_format: str | None = None  # of --out-format
    human_level: int = 1  # of numbers, as rsync's --human-readable
    log_file: str | None = None
    log_format: str = "text"
    log_level: str = "info"
    configurations: tuple[str, ...] = ()  # paths of the settings files that were read

    def validated(self) -> Output:
        """Return the output. Raise UsageError if its parts contradict each other."""
        if self.log_level == "debug" and self.log_file is None:
            raise UsageError("--log-level debug: name the file to write to with --log-file")
        return self


def output_of(options: argparse.Namespace, targets: Targets | None = None) -> Output:
    """Return what to print and write. targets: None if they are not known, because the command line is wrong.

    Raise UsageError, or FileError if a file could not be written.
    """
    if problem := problem_of(options.out_format or ""):
        raise UsageError(f"--out-format {options.out_format}: {problem}")
    reports = {os.path.splitext(path)[1]: path for path in options.report}  # the last path of each kind counts
    for kind, path in reports.items():
        if kind not in (".json", ".html"):
            raise UsageError(f"--report {path}: only .json and .html can be written")
    if options.metrics and not options.metrics.endswith(".prom"):
        raise UsageError(f"--metrics {options.metrics}: node_exporter reads files in .prom only")
    files = [*(("--report", path) for path in reports.values()), ("--metrics", options.metrics)]
    for option, path in files:
        if path:
            check_output(option, path)
    doubts = (Notice(0, f"warning: {doubt}") for doubt in doubts_of(options))
    return Output(
        report=reports.get(".json"),
        page=reports.get(".html"),
        verbosity=options.verbose,
        remarks=(*remarks_on(targets), *list_options.remarks(options), *doubts) if targets is not None else (),
        line_format=options.out_format,
        human_level=getattr(options, "human_level", 1),
        **fields_of(MULTICASTER, "output", options),
    )
