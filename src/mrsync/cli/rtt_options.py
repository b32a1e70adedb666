"""The command lines of rtt and rttcatcher, and the settings they mean."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from typing import NamedTuple

from mrsync.cli import options, values
from mrsync.cli.configuration import names_of_settings, parse_configured
from mrsync.cli.parser import Parser, make_parser
from mrsync.run.settings import LOCAL, RTT_GROUPS, CatchSettings, RttSettings
from mrsync.wire.limits import SECRET_BYTES

PORT = 7900  # as 4.0.1 had it
NOT_FOR_RTT = {"group", "port"}  # settings for syncs
PAGES_MAX = 1_000_000
PAGE_BYTES_MAX = 64512


class RttOutput(NamedTuple):
    """What people and programs get to read."""

    progress: str
    is_json: bool
    verbosity: int
    left_out: tuple[str, ...]


def parse_rtt(arguments: Sequence[str]) -> tuple[RttSettings, RttOutput]:
    """Raises UsageError, FileError."""
    parser = _rtt_parser()
    for_others = names_of_settings(options.mrsync_parser()) - names_of_settings(parser)
    parsed, _ = parse_configured(parser, arguments, passed_over=for_others | NOT_FOR_RTT)
    has_key = bool(parsed.key_file or parsed.insecure)
    parsed.rsh = parsed.rsh or "ssh"
    is_local = parsed.rsh == LOCAL
    targets = options.targets_of(parsed.targets, parsed.exclude_target, keeps_own_host=is_local or has_key)
    network = options.network_of(parsed, by_hand=has_key)
    settings = RttSettings(
        targets=targets.hosts,
        remote_shell=None if has_key else parsed.rsh,
        secret=options.secret_of(parsed) if has_key else os.urandom(SECRET_BYTES),
        network=network._replace(has_loop=network.has_loop or is_local),
        pages=parsed.pages,
        page_bytes=parsed.size,
        verbosity=parsed.verbose,
        remote=options.remote_of(parsed),
    )
    return settings, RttOutput(parsed.progress, parsed.json, parsed.verbose, targets.left_out)


def parse_rttcatcher(arguments: Sequence[str]) -> CatchSettings:
    """Raises UsageError, FileError."""
    parsed = _rttcatcher_parser().parse_args(arguments)
    return CatchSettings(
        target=parsed.id,
        host=os.uname().nodename,
        dest=b"",
        secret=options.secret_of(parsed),
        network=options.network_of(parsed, by_hand=True),
        verbosity=parsed.verbose,
        has_master=False,
    )


def _rtt_parser() -> Parser:
    parser = make_parser("rtt", "Send pages one after another; tell how long each target's echo took.")
    add = parser.add_argument
    add("-m", "--targets", metavar="TARGETS", help="file with one per line, or a list: a,b node[001-100] @group")
    add("--exclude-target", metavar="T", help="leave these out of TARGETS")
    add("-n", "--pages", type=_page_count, default=1000, metavar="N", help="pages to send; default: 1000")
    add("-s", "--size", type=_page_bytes, default=64000, metavar="B", help="bytes of a page; default: 64000")
    options.add_remote_options(parser, directory="-p", program="rttcatcher")
    started = options.add_key_options(parser, is_required=False)  # by hand
    started.add_argument("-r", "--rsh", metavar="R", help="remote shell; local: processes here; default: ssh")
    add("--progress", choices=("auto", "plain", "none", "json"), default="auto", help="default: auto")
    add("--json", action="store_true", help="the result as one JSON object")
    options.add_network_options(parser, RTT_GROUPS, PORT)
    options.add_reach_options(parser)
    options.add_verbose_option(parser)
    options.add_config_option(parser)
    return parser


def _rttcatcher_parser() -> Parser:
    parser = make_parser("rttcatcher", "Echo what rtt sends, until interrupted.")
    parser.add_argument(
        "-i", "--id", type=values.target_id, default=0, metavar="ID", help="position in rtt's TARGETS; default: 0"
    )
    options.add_network_options(parser, RTT_GROUPS, PORT)
    options.add_verbose_option(parser)
    options.add_key_options(parser)
    return parser


def _page_count(text: str) -> int:
    return _bounded(text, "number of pages", PAGES_MAX)


def _page_bytes(text: str) -> int:
    return _bounded(text, "size of a page in bytes", PAGE_BYTES_MAX)


def _bounded(text: str, what: str, highest: int) -> int:
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text) <= highest:
        raise argparse.ArgumentTypeError(f"{text!r} is no {what} from 1 to {highest}")
    return int(text)
