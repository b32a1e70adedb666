"""The files that a run writes at its end: the JSON report, the HTML page, and metrics."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

from mrsync import __version__
from mrsync.cli.output import report
from mrsync.cli.output.output_files import replace_file
from mrsync.cli.output.recording import Sample
from mrsync.cli.settings.output_options import Output
from mrsync.errors import FileError
from mrsync.run.cast.outcome import Outcome


class ResultFiles:
    """The files that one run was asked to write.

    name, arguments: of the command. complain: called with a sentence for each file that cannot be written.
    """

    def __init__(self, name: str, arguments: Sequence[str], output: Output, complain: Callable[[str], None]) -> None:
        self._command = [name, *arguments]
        self._output = output
        self._complain = complain
        self._started_at = time.time()

    def write(self, outcome: Outcome, samples: Sequence[Sample] = ()) -> None:
        """Write all files. Continue if one of them cannot be written."""
        for path, text in self._texts(outcome, samples):
            try:
                replace_file(text, path)
            except FileError as error:
                self._complain(str(error))

    def fields(self, outcome: Outcome, samples: Sequence[Sample] = ()) -> dict[str, Any]:
        """Return the JSON report: the outcome, and how, when and where the command was run."""
        return {
            **report.report_fields(outcome),
            "mrsync": __version__,
            "master": socket.gethostname(),
            "command": self._command,
            "started": datetime.fromtimestamp(self._started_at).astimezone().isoformat(timespec="seconds"),
            "verdict": report.verdict(outcome),
            "complaint": report.complaint(outcome),
            "samples": [list(sample) for sample in samples],
        }

    def _texts(self, outcome: Outcome, samples: Sequence[Sample]) -> Iterator[tuple[str, str]]:
        """Yield (path, text) of each file."""
        output = self._output
        if output.report:
            yield output.report, report.json_text(self.fields(outcome, samples))
        if output.page:
            from mrsync.cli.output.html_report import html_report

            yield output.page, html_report(self.fields(outcome, samples))
        if output.metrics:
            from mrsync.cli.output.metrics import metrics

            yield output.metrics, metrics(outcome, time.time())
