"""Draw docs/pictures: the live view, the end of a run, doctor, and the HTML report.

Start it from the project's root with `PYTHONPATH=. .venv/bin/python docs/screens.py`.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI, TerminalTheme
from rich.text import Text

from mrsync.cli.output.live_view import Rate, frame
from mrsync.cli.output.progress import as_text
from mrsync.run.observer import Snapshot, TargetProgress

PICTURES = Path("docs/pictures")
MRSYNC = [sys.executable, "-c", "import sys; from mrsync.cli.main import mrsync; sys.exit(mrsync())"]
ROWS = {3: 24, 60: 24, 1000: 40}


def main() -> None:
    PICTURES.mkdir(exist_ok=True)
    for count, rows in ROWS.items():
        draw(f"live-{count}", 100, [live_view(count, 100, rows)])
    end, doctor = real_runs()
    draw("end", 110, [end])
    draw("doctor", 100, [doctor])
    photograph_report()


def live_view(count: int, width: int, height: int) -> Text:
    """Return the view of an invented run: of its `count` targets one is slow, some are silent, and some are gone."""
    rate = Rate()
    for step in range(60):
        rate.update(snapshot(count, step / 4))
    lines = frame(snapshot(count, 15.0), rate, width, height - 1)
    return as_text(lines, "utf-8")


def snapshot(count: int, seconds: float) -> Snapshot:
    draw = random.Random(count)
    sent = int(seconds * 108e6 * (1 + 0.1 * (int(seconds * 4) % 5)))
    targets = []
    for number in range(count):
        state = {1: "lost", 3: "unreachable"}.get(number % 90 if count > 3 else -1, "present")
        behind = 4e8 if number == 2 else draw.random() * 4e7
        lost, silent_s = draw.randrange(90) if number % 3 == 0 else 0, 4.2 if number % 50 == 17 else 0.1
        name = f"node{number + 1:0{len(str(count))}d}"
        done = max(0, int(sent - behind))
        targets.append(TargetProgress(name, state, done, lost, is_monitor=number == 2, silent_s=silent_s))
    return Snapshot("casting", seconds, int(4e9), sent, sent // 250, 1000, tuple(targets))


def real_runs() -> tuple[Text, Text]:
    """Return what a sync and doctor print at their end: real runs, on this machine."""
    home = Path(tempfile.mkdtemp(prefix="mrsync-screens-"))
    try:
        (home / "data").mkdir()
        (home / "copies").mkdir()
        for number in range(4):
            (home / "data" / f"reel{number}").write_bytes(os.urandom(24 << 20))
        end = run(home, ["-m", "node[1-6]", "-s", "data", "-t", "copies/{host}", "--stats"])
        return end, run(home, ["doctor", "-m", "node[1-3]", "-t", "copies/{host}"])
    finally:
        shutil.rmtree(home)


def run(home: Path, arguments: list[str]) -> Text:
    """Return a command and what stays of it on a terminal. Progress (on stderr) is erased there."""
    local = [arguments[0], "-r", "local", *arguments[1:]] if arguments[0] == "doctor" else ["-r", "local", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(Path("src").absolute())}
    ran = subprocess.run([*MRSYNC, *local], cwd=home, env=environment, capture_output=True, text=True, check=True)
    return Text.assemble(("$ mrsync " + " ".join(local) + "\n", "bold"), ran.stdout)


def draw(name: str, width: int, texts: list[Text]) -> None:
    console = Console(record=True, width=width, file=open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
    for text in texts:
        console.print(text)
    theme: TerminalTheme = DIMMED_MONOKAI
    drawn = console.export_svg(title="mrsync", theme=theme)
    (PICTURES / f"{name}.svg").write_text("\n".join(line.rstrip() for line in drawn.splitlines()) + "\n")


def photograph_report() -> None:
    """Save the HTML report as headless Chromium shows it."""
    from tests.browser import browser
    from tests.whole.test_report_page import written

    with browser() as window, tempfile.TemporaryDirectory() as folder:
        for count, is_dark in ((3, False), (300, True)):
            window.use_dark(is_dark)
            window.resize(1000, 1500)
            window.open(written(Path(folder), count))
            name = f"report-{'dark' if is_dark else 'light'}.png"
            (PICTURES / name).write_bytes(window.screenshot())


if __name__ == "__main__":
    main()
