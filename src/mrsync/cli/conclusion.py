"""The end of a run as the command prints it: changes, summary, statistics and complaints."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from mrsync.cli.output import report
from mrsync.cli.settings.output_options import Output
from mrsync.escaping import escape_controls
from mrsync.run.cast.outcome import Outcome
from mrsync.run.service import ERROR, priority_mark

if TYPE_CHECKING:
    from mrsync.cli.output.logfile import LogFile


def print_changes(outcome: Outcome, output: Output, log: LogFile | None) -> None:
    """Print all changes, unless the run is quiet, and log them."""
    from mrsync.cli.output.itemized import change_events, change_lines

    is_json = output.progress == "json"
    for line in change_events(outcome) if is_json else change_lines(outcome, output.line_format):
        if not output.is_quiet:
            print(line)
        if log is not None:
            log.change(line)


def print_conclusion(name: str, outcome: Outcome, output: Output) -> None:
    """Print the end of the run, for people or for programs."""
    if output.progress == "json":
        print(report.event_line(outcome))
    elif outcome.has_begun and not output.is_quiet:
        for line in report.summary_lines(outcome, verbosity=output.verbosity, has_stats=output.has_stats):
            print(line)
        if output.has_stats:
            from mrsync.cli.output.rsync_statistics import rsync_statistics

            for line in rsync_statistics(outcome, output.human_level):
                print(line)
    if outcome.has_begun and output.progress != "json":
        for hosts, trouble in report.troubles(outcome):
            complain(hosts, trouble)
    if complaint := report.complaint(outcome):
        complain(name, complaint)


def complain(name: str, sentence: str) -> None:
    """Print a sentence on stderr. name: the program or the hosts that it is about."""
    sys.stdout.flush()  # keeps the order if both streams go to one file
    print(f"{priority_mark(2, ERROR)}{name}: {escape_controls(sentence)}", file=sys.stderr)
