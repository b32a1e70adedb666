"""What rsync's --info and -v print, in options of mrsync."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence

from mrsync.cli.output.line_format import NOTHING, TRANSFER
from mrsync.errors import UsageError

_USED = {
    "del": "print deletions",
    "name": "print names of changed entries",
    "progress": "show progress, as does PROGRESS2: --progress",
    "stats": "print figures at the end: --stats",
}
_WITHOUT_EFFECT = "backup copy flist misc mount nonreg remove skip symsafe"
_FLAG = re.compile("([a-z]+)([0-9]{0,9})")
HELP = "help"


def info_levels(flags: Sequence[str]) -> dict[str, int]:
    """Return the levels that these values of --info name, for flags that have an effect. Raise UsageError."""
    levels: dict[str, int] = {}
    for text in ",".join(flags).lower().split(","):
        match = _FLAG.fullmatch(text)
        name, level = (match[1], int(match[2] or 1)) if match else ("", 0)
        if name in ("all", "none"):
            levels.update(dict.fromkeys(_USED, level if name == "all" else 0))
        elif name in _USED:
            levels[name] = level
        elif text and name not in _WITHOUT_EFFECT.split():
            raise UsageError(f"--info: {text} is unknown; --info=help lists all flags")
    return levels


def info_help() -> str:
    """Return what --info=help prints."""
    lines = [f"{name.upper():10} {meaning}" for name, meaning in _USED.items()]
    others = ", ".join(_WITHOUT_EFFECT.upper().split())
    lines += [f"{'ALL':10} all of these", f"{'NONE':10} none of these", f"accepted without effect: {others}"]
    return "\n".join(lines)


def apply_info(options: argparse.Namespace) -> None:
    """Set the options that --info and rsync's -v stand for; what is given beside them counts.

    Raise UsageError, or exit after help.
    """
    if HELP in ",".join(options.info).lower().split(","):
        print(info_help())
        raise SystemExit(0)
    levels = {"name": 1} if getattr(options, "lists_names", False) else {}
    levels |= info_levels(options.info)
    if "progress" in levels and options.progress == "auto":
        options.progress = "auto" if levels["progress"] else "none"
    options.stats = options.stats or levels.get("stats", 0) > 1
    if options.out_format is None and not options.itemize_changes:
        if levels.get("name"):
            options.out_format = TRANSFER
        elif levels.get("del"):
            options.out_format = NOTHING
