"""The command line of mrsync doctor, and the settings it means."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple

from mrsync.cli import options, values
from mrsync.cli.configuration import names_of_settings, parse_configured
from mrsync.cli.parser import Parser, make_parser
from mrsync.run.settings import LOCAL, DoctorSettings
from mrsync.wire.limits import SECRET_BYTES

RATE_BYTES_S = 25_000_000
NOT_FOR_DOCTOR = {"rate"}  # of syncs, not of a test


class DoctorOutput(NamedTuple):
    """What people and programs get to read."""

    progress: str
    is_json: bool
    verbosity: int
    left_out: tuple[str, ...]


def parse_doctor(arguments: Sequence[str]) -> tuple[DoctorSettings, DoctorOutput]:
    """Raises UsageError."""
    parser = _parser()
    for_others = names_of_settings(options.mrsync_parser()) - names_of_settings(parser)
    parsed, _ = parse_configured(parser, arguments, passed_over=for_others | NOT_FOR_DOCTOR)
    is_local = parsed.rsh == LOCAL
    targets = options.targets_of(parsed.targets, parsed.exclude_target, keeps_own_host=is_local)
    network = options.network_of(parsed)
    settings = DoctorSettings(
        targets=targets.hosts,
        dest=os.fsencode(parsed.dest or ""),
        remote_shell=parsed.rsh,
        secret=os.urandom(SECRET_BYTES),
        network=network._replace(has_loop=network.has_loop or is_local),
        rate_bytes_s=parsed.rate or RATE_BYTES_S,
        verbosity=parsed.verbose,
        remote=options.remote_of(parsed),
    )
    return settings, DoctorOutput(parsed.progress, parsed.json, parsed.verbose, targets.left_out)


def _parser() -> Parser:
    parser = make_parser("mrsync doctor", "Try out what a sync needs, on all TARGETS at once; tell what is wrong.")
    add = parser.add_argument
    add("-m", "--targets", metavar="TARGETS", help="file with one per line, or a list: a,b node[001-100] @group")
    add("--exclude-target", metavar="T", help="leave these out of TARGETS")
    add("-t", "--dest", metavar="DEST", help="directory there whose disk is tried; default: where the shell begins")
    add("-r", "--rsh", default="ssh", metavar="R", help="remote shell; local: processes here; default: ssh")
    options.add_remote_options(parser, directory=None)
    add("--rate", type=values.rate, metavar="R", help="bytes/s that are tried; K, M, G; default: 25MB")
    add("--progress", choices=("auto", "plain", "none", "json"), default="auto", help="default: auto")
    add("--json", action="store_true", help="the result as one JSON object")
    options.add_network_options(parser)
    options.add_reach_options(parser)
    options.add_verbose_option(parser)
    options.add_config_option(parser)
    return parser
