"""How long tests wait for what must come."""

from __future__ import annotations

HANG_S = 120.0  # what takes longer hangs, however busy the machine is; below the suite's limit for one test
