"""The command line of mrsync verify, and its settings."""

from __future__ import annotations

import os
from collections.abc import Sequence

from mrsync.cli.registry.option import MRSYNC, VERIFY
from mrsync.cli.registry.options import fields_of
from mrsync.cli.registry.parser import make_parser
from mrsync.cli.settings.configuration import names_of_settings, parse_configured
from mrsync.cli.settings.places import check_dest, take_place
from mrsync.cli.settings.target_options import remote_of, targets_of
from mrsync.cli.settings.tools.tool_output import ToolOutput
from mrsync.run.settings import LOCAL
from mrsync.run.verify.verify import VerifySettings


def parse_verify(arguments: Sequence[str]) -> tuple[VerifySettings, ToolOutput]:
    """Parse the command line. Raise UsageError."""
    parser = make_parser(VERIFY)
    for_others = names_of_settings(make_parser(MRSYNC)) - names_of_settings(parser)
    parsed, _ = parse_configured(parser, take_place(parser, arguments), passed_over=for_others)
    check_dest(parsed.dest)
    targets = targets_of(parsed, keeps_own_host=parsed.rsh == LOCAL)
    settings = VerifySettings(
        targets=targets.hosts,
        dest=os.fsencode(parsed.dest),
        remote_shell=parsed.rsh,
        remote=remote_of(parsed, VERIFY, targets),
        **fields_of(VERIFY, "settings", parsed),
    )
    return settings, ToolOutput.of(parsed, targets)
