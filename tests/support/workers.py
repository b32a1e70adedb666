"""What the workers of one test run have in common."""

from __future__ import annotations

import os
import random

import pytest


def run_seed() -> str:
    """Return a seed for parameters that are drawn at collection: every worker of a run must draw the same."""
    return os.environ.get("PYTEST_XDIST_TESTRUNUID") or str(random.randrange(1 << 32))


not_under_coverage = pytest.mark.skipif(
    "COVERAGE_RUN" in os.environ, reason="measuring coverage would show in what is tested"
)
