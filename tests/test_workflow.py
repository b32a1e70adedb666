"""The public CI tests every Python that is promised."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

PROJECT = Path(__file__).parents[1]
WORKFLOW = (PROJECT / ".github" / "workflows" / "tests.yml").read_text()


def test_the_matrix_has_all_pythons_of_the_metadata() -> None:
    classifiers = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["classifiers"]
    promised = [version for line in classifiers for version in re.findall(r":: (3\.\d+)$", line)]
    (matrix,) = re.findall(r"^ +python: \[(.+)\]$", WORKFLOW, re.MULTILINE)
    assert re.findall(r"[\d.]+", matrix) == promised == ["3.11", "3.12", "3.13", "3.14"]


def test_targets_have_every_python_from_3_9() -> None:
    assert re.findall(r"^ {12}(3\.\d+)$", WORKFLOW, re.MULTILINE) == ["3.9", "3.10", "3.11", "3.12", "3.13", "3.14"]


def test_every_job_ends_in_time() -> None:
    assert WORKFLOW.count("runs-on:") == WORKFLOW.count("timeout-minutes:")
