"""python -m tests.sim: run many seeds, or replay one; prints the seeds that fail, and a trace with --trace."""

from __future__ import annotations

import argparse
import sys
import time

from tests.sim.drawing import draw, draw_islands, draw_relays
from tests.sim.reception import Violation
from tests.sim.simulation import Simulation
from tests.sim.trace import printed, untraced

FAILURES_MAX = 20


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.sim", description=__doc__)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--seeds", type=int, default=500, help="how many")
    parser.add_argument("--trace", action="store_true", help="print scenario and everything that happens")
    parser.add_argument("--relays", action="store_true", help="let targets pass pages on")
    parser.add_argument("--islands", action="store_true", help="also in networks where targets hear each other")
    options = parser.parse_args()
    drawn = draw_islands if options.islands else draw_relays if options.relays else draw
    failures = 0
    started_at = time.monotonic()
    for seed in range(options.first, options.first + options.seeds):
        simulation = Simulation(drawn(seed), record=printed if options.trace else untraced)
        if options.trace:
            print(simulation.scenario)
        try:
            result = simulation.run()
        except (Violation, RuntimeError) as error:
            failures += 1
            print(f"seed {seed}: {type(error).__name__}: {error}", flush=True)
            if failures == FAILURES_MAX:
                break
        else:
            if options.trace:
                print(result)
    print(f"{failures} of {options.seeds} seeds failed, {time.monotonic() - started_at:.1f} s")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
