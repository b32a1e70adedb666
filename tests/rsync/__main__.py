"""`python -m tests.rsync --seeds 20000`: hold many random filter rules against the real rsync."""

from __future__ import annotations

import argparse
import tempfile
from itertools import islice
from pathlib import Path

from tests.rsync.cases import draw_case, draw_list_case
from tests.rsync.oracle import compare_all


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=1000)
    parser.add_argument("--problems", type=int, default=3, help="stop after so many")
    parser.add_argument("--lists", action="store_true", help="--files-from and size limits instead")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        cases = map(draw_list_case if options.lists else draw_case, range(options.first, options.first + options.seeds))
        problems = list(islice(compare_all(cases, Path(folder)), options.problems))
    for problem in problems:
        print(problem, end="\n\n")
    print(f"{len(problems)} differences")


main()
