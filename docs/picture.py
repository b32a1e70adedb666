"""Draw docs/mrsync.svg: what two real runs print on a terminal. Start it from the project's root with its Python."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

PICTURE = Path("docs/mrsync.svg")
TARGETS = "node[1-6]"
MRSYNC = [sys.executable, "-c", "import sys; from mrsync.cli.main import mrsync; sys.exit(mrsync())"]


def main() -> None:
    home = Path(tempfile.mkdtemp(prefix="mrsync-picture-"))
    console = Console(record=True, width=110, file=open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
    try:
        source = home / "data"
        (source / "films").mkdir(parents=True)
        (home / "copies").mkdir()
        for number in range(1, 5):
            (source / "films" / f"reel{number}").write_bytes(os.urandom(48 << 20))
        show(console, home, "--stats")
        with (source / "films" / "reel2").open("ab") as file:
            file.write(b"one scene more")
        shutil.rmtree(home / "copies" / "node5")
        show(console, home)
    finally:
        shutil.rmtree(home)
    drawn = console.export_svg(title="mrsync")
    PICTURE.write_text("\n".join(line.rstrip() for line in drawn.splitlines()) + "\n")


def show(console: Console, home: Path, *options: str) -> None:
    """Run mrsync, and print the command and its report. Progress (on stderr) does not stay on a terminal."""
    arguments = ["-r", "local", "-m", TARGETS, "-s", "data", "-t", "copies/{host}", *options]
    console.print(Text("$ mrsync " + " ".join(arguments), style="bold"))
    environment = {**os.environ, "PYTHONPATH": str(Path("src").absolute())}
    ran = subprocess.run([*MRSYNC, *arguments], cwd=home, env=environment, capture_output=True, text=True, check=True)
    console.print(Text(ran.stdout))


if __name__ == "__main__":
    main()
