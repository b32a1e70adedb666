"""The command line of mrsync doctor, and its settings."""

from __future__ import annotations

import os
from collections.abc import Sequence

from mrsync.cli.registry.option import DOCTOR, MRSYNC
from mrsync.cli.registry.options import fields_of
from mrsync.cli.registry.parser import make_parser
from mrsync.cli.settings.configuration import names_of_settings, parse_configured
from mrsync.cli.settings.network_options import network_of
from mrsync.cli.settings.places import check_dest, take_place
from mrsync.cli.settings.target_options import remote_of, targets_of
from mrsync.cli.settings.tools.tool_output import ToolOutput
from mrsync.run.settings import LOCAL, DoctorSettings
from mrsync.wire.limits import SECRET_BYTES

RATE_BYTES_S = 25_000_000
NOT_FOR_DOCTOR = {"rate"}  # in a settings file it is meant for syncs


def parse_doctor(arguments: Sequence[str]) -> tuple[DoctorSettings, ToolOutput]:
    """Parse the command line. Raise UsageError."""
    parser = make_parser(DOCTOR)
    for_others = names_of_settings(make_parser(MRSYNC)) - names_of_settings(parser)
    parsed, _ = parse_configured(parser, take_place(parser, arguments), passed_over=for_others | NOT_FOR_DOCTOR)
    check_dest(parsed.dest or "")
    is_local = parsed.rsh == LOCAL
    targets = targets_of(parsed, keeps_own_host=is_local)
    network = network_of(parsed)
    settings = DoctorSettings(
        targets=targets.hosts,
        dest=os.fsencode(parsed.dest or ""),
        remote_shell=parsed.rsh,
        secret=os.urandom(SECRET_BYTES),
        network=network._replace(has_loop=network.has_loop or is_local),
        rate_bytes_s=parsed.rate or RATE_BYTES_S,
        remote=remote_of(parsed, DOCTOR, targets),
        **fields_of(DOCTOR, "settings", parsed),
    )
    return settings, ToolOutput.of(parsed, targets)
