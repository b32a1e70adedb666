"""What packages install beside the program: man pages, completions and units, by their path below /usr."""

from __future__ import annotations

from pathlib import Path

from mrsync.cli.registry.completion import INSTALLED, completion
from mrsync.cli.registry.options import PROGRAMS
from mrsync.cli.registry.reference import man_page

PROJECT = Path(__file__).parents[1]
UNITS = PROJECT / "packaging" / "systemd"
# Shells load completions by the name of the command: these files stand for all of them.
BASH, ZSH, FISH = "share/bash-completion/completions", "share/zsh/site-functions", "share/fish/vendor_completions.d"


def shared_files() -> dict[str, bytes]:
    """Return all files, made from the registry of options and the working tree."""
    made = {f"share/man/man1/{program.replace(' ', '-')}.1": man_page(program) for program in PROGRAMS}
    made[f"{ZSH}/_mrsync"] = completion("zsh")
    for program in INSTALLED:
        made[f"{BASH}/{program}"] = completion("bash")
        made[f"{FISH}/{program}.fish"] = completion("fish")
    units = {f"lib/systemd/system/{path.name}": path.read_bytes() for path in sorted(UNITS.iterdir())}
    return {path: text.encode() for path, text in made.items()} | units
