"""The command mrsync config --show: every setting, its value, and where the value comes from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from mrsync.cli.registry.option import MRSYNC
from mrsync.cli.registry.parser import make_parser
from mrsync.cli.settings.configuration import DEFAULT, origins, parse_configured, value_of
from mrsync.cli.streams import check_written
from mrsync.errors import UsageError

USAGE = "mrsync config --show [options of mrsync]"


def show_settings(arguments: Sequence[str]) -> int:
    """Print the settings of a run with these options, as TOML with the origin as a comment. Raise UsageError."""
    if "--show" not in arguments:
        raise UsageError(f"config shows settings: {USAGE}")
    given = [word for word in arguments if word != "--show"]
    parser = make_parser(MRSYNC)
    options, _ = parse_configured(parser, given)
    defaults = parser.parse_args([])
    lines = []
    for key, origin in origins(parser, given).items():
        value = value_of(parser, defaults if origin == DEFAULT else options, key)
        lines.append((f"{key} = {_toml(value)}", origin))
    width = max(len(line) for line, _ in lines if len(line) < 40)
    for line, origin in lines:
        print(f"{line:<{width}}  # {origin}")
    check_written()
    return 0


def _toml(value: Any) -> str:
    """Return a value as one would write it in a settings file; nothing for an option that is not set."""
    if value is None:
        return '""'
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value if isinstance(value, bool | int | float | str) else str(value), ensure_ascii=False)
