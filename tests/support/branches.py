"""Measure which branches of src the unit tests take, as a part of ./run test.

./run coverage measures all tests, and the programs that they start, but takes twice as long. The tests of MEASURED call
the modules of src in the process of the worker, and are an eighth of all work. Only they are traced, and the imports of
all tests, so this costs a few seconds in a hundred.

python -m tests.support.branches FOLDER prints the figure from what the workers have written to this folder.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from coverage import Coverage

FOLDER = "MRSYNC_BRANCHES"  # the variable of the environment that names it
MEASURED = "tests/unit/"
WARNINGS = ["no-data-collected", "module-not-imported", "module-not-measured"]


class Branches:
    """A plugin for a process that runs tests. It begins at once, because imports take branches as well."""

    def __init__(self, folder: str) -> None:
        file = os.path.join(folder, ".coverage")
        self._coverage = Coverage(file, data_suffix=True, branch=True, source_pkgs=["mrsync"], config_file=False)
        self._coverage.set_option("run:disable_warnings", WARNINGS)
        self._coverage.start()

    def pytest_collection_finish(self) -> None:
        self._coverage.stop()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        if not item.nodeid.startswith(MEASURED):
            return (yield)
        self._coverage.start()
        try:
            return (yield)
        finally:
            self._coverage.stop()

    def pytest_sessionfinish(self) -> None:
        self._coverage.save()


def measured() -> Branches | None:
    """Begin to measure, if that is asked for. Call it before anything of src is imported."""
    folder = os.environ.get(FOLDER)
    return Branches(folder) if folder else None


def sentence(folder: Path) -> str:
    """Return what share of src the tests of MEASURED have taken, by what the workers have written."""
    coverage = Coverage(folder / ".coverage", config_file="pyproject.toml")
    coverage.combine([str(folder)])
    report = folder / "report.json"
    coverage.json_report(outfile=str(report), ignore_errors=True)
    totals = json.loads(report.read_text())["totals"]
    branches, lines = totals["covered_branches"], totals["covered_lines"]
    share = 100 * (branches + lines) / (totals["num_branches"] + totals["num_statements"])
    return (
        f"{MEASURED} takes {100 * branches / totals['num_branches']:.1f} % of the branches of src, and "
        f"{share:.1f} % of branches and statements (./run coverage measures all tests)"
    )


if __name__ == "__main__":
    print(sentence(Path(sys.argv[1])))
