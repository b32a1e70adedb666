"""The command lines of rtt and rttcatcher, and their settings."""

from __future__ import annotations

import os
from collections.abc import Sequence

from mrsync.cli.registry.option import MRSYNC, RTT, RTTCATCHER
from mrsync.cli.registry.options import fields_of
from mrsync.cli.registry.parser import make_parser
from mrsync.cli.settings.configuration import names_of_settings, parse_configured
from mrsync.cli.settings.network_options import keys_of, network_of
from mrsync.cli.settings.target_options import remote_of, targets_of
from mrsync.cli.settings.tools.tool_output import ToolOutput
from mrsync.run.settings import LOCAL, CatchSettings, RttSettings
from mrsync.wire.limits import SECRET_BYTES

NOT_FOR_RTT = {"group", "port"}  # in a settings file they are meant for syncs


def parse_rtt(arguments: Sequence[str]) -> tuple[RttSettings, ToolOutput]:
    """Parse the command line of rtt. Raise UsageError or FileError."""
    parser = make_parser(RTT)
    for_others = names_of_settings(make_parser(MRSYNC)) - names_of_settings(parser)
    parsed, _ = parse_configured(parser, arguments, passed_over=for_others | NOT_FOR_RTT)
    has_key = bool(parsed.key_file or parsed.insecure)
    parsed.rsh = parsed.rsh or "ssh"
    is_local = parsed.rsh == LOCAL
    targets = targets_of(parsed, keeps_own_host=is_local or has_key)
    network = network_of(parsed, by_hand=has_key)
    settings = RttSettings(
        targets=targets.hosts,
        remote_shell=None if has_key else parsed.rsh,
        secret=keys_of(parsed).group if has_key else os.urandom(SECRET_BYTES),
        network=network._replace(has_loop=network.has_loop or is_local),
        remote=remote_of(parsed, RTT, targets),
        **fields_of(RTT, "settings", parsed),
    )
    return settings, ToolOutput.of(parsed, targets)


def parse_rttcatcher(arguments: Sequence[str]) -> CatchSettings:
    """Parse the command line of rttcatcher. Raise UsageError or FileError."""
    parsed = make_parser(RTTCATCHER).parse_args(arguments)
    return CatchSettings(
        target=parsed.id,
        host=os.uname().nodename,
        dest=b"",
        secret=keys_of(parsed).group,
        network=network_of(parsed, by_hand=True),
        verbosity=parsed.verbose,
        has_master=False,
    )
