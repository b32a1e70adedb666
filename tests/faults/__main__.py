"""./run faults: break a sync in every way there is, and write what happened into docs/faults.md.

Each fault has a lab and a process of its own; several run at a time. Without names all run, and the table is written.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.faults.cases import FAULTS
from tests.faults.scene import Broken, Scene
from tests.netns.lab import Lab

DOCUMENT = Path(__file__).parents[2] / "docs" / "faults.md"
BEGIN, END = "<!-- what ./run faults found -->\n", "<!-- end of what ./run faults found -->"
AT_ONCE = 4


def main() -> int:
    parser = argparse.ArgumentParser(prog="./run faults")
    parser.add_argument("--one", action="store_true", help="run one fault in this process")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(FAULTS))
    options = parser.parse_args()
    if options.one:
        print(strike(options.names[0]), flush=True)
        return 0
    names = options.names or list(FAULTS)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        said = dict(zip(names, pool.map(strike_apart, names), strict=True))
    if not options.names:
        write(said)
    return 1 if any(text.startswith("BROKEN") for text in said.values()) else 0


def strike_apart(name: str) -> str:
    """Run a fault in a process of its own; return what happened."""
    command = [sys.executable, "-m", "tests.faults", "--one", name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = done.stdout.strip().splitlines()
    text = said[-1] if not done.returncode and said else f"BROKEN: {done.stderr.strip()[-2000:]}"
    print(f"{name}: {text}", flush=True)
    return text


def strike(name: str) -> str:
    """Run a fault; return what happened."""
    fault = FAULTS[name]
    with tempfile.TemporaryDirectory(prefix="mrsync-faults-") as folder, Lab(3) as lab:
        scene = Scene(lab, Path(folder))
        try:
            if scene.sync():
                raise Broken("the sync before failed")
            scene.change()
            said = fault.strike(scene)
            scene.check_contents()
            scene.check_recovery()
        except (Broken, OSError) as error:
            traceback.print_exc()
            return f"BROKEN: {error}"
    return said


def write(said: dict[str, str]) -> None:
    """Write the table into the document."""
    rows = ["| what breaks | promised | what happened |", "|---|---|---|"]
    rows += [f"| {fault.what} | {fault.promise} | {said[name].replace('|', '/')} |" for name, fault in FAULTS.items()]
    text = DOCUMENT.read_text()
    start, end = text.index(BEGIN) + len(BEGIN), text.index(END)
    DOCUMENT.write_text(text[:start] + "\n".join(rows) + "\n" + text[end:])


if __name__ == "__main__":
    sys.exit(main())
