"""Name each failing test at once, so that a run that is cut short has named them, too."""

from __future__ import annotations

import pytest


class Failures:
    """A plugin for the process that tells the user."""

    def __init__(self, terminal: pytest.TerminalReporter) -> None:
        self._terminal = terminal

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._terminal.ensure_newline()
            self._terminal.write_line(f"FAILED {report.nodeid} ({report.when}, {report.duration:.1f} s)", red=True)
            self._terminal.flush()
