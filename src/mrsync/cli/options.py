"""The command lines of mrsync, multicaster and multicatcher, and the settings they mean."""

from __future__ import annotations

import argparse
import os
import socket
from collections.abc import Sequence
from typing import NamedTuple

from mrsync.cli import file_options, list_options, values
from mrsync.cli.backup_options import add_backup_options, check_local_backups, check_suffix
from mrsync.cli.configuration import SYSTEM_FILE, parse_configured
from mrsync.cli.output_files import check_output
from mrsync.cli.parser import NETWORK, OUTPUT, REMOTE, WHAT, Parser, make_parser
from mrsync.cli.places import absolute, check_local_dests, check_remote_dest, source_of, take_positionals
from mrsync.errors import UsageError
from mrsync.remote.keyfile import INSECURE_SECRET, read_secret
from mrsync.remote.targets import Targets, read_targets
from mrsync.run.settings import (
    AUTO,
    GROUPS,
    LOCAL,
    CastSettings,
    CatchSettings,
    Groups,
    Network,
    Remote,
    draw_own_secrets,
)
from mrsync.transport.interface import family_of
from mrsync.tree.model.policy import Policy
from mrsync.tree.source.selection import Selection
from mrsync.wire.limits import SECRET_BYTES, TARGETS_MAX
from mrsync.wire.signing import SEED_BYTES


class Output(NamedTuple):
    """What people and programs get to read."""

    progress: str = "auto"
    has_stats: bool = False
    report: str | None = None  # JSON
    page: str | None = None  # HTML
    metrics: str | None = None
    verbosity: int = 0
    left_out: tuple[str, ...] = ()  # names in TARGETS that are this host
    log_file: str | None = None
    log_format: str = "text"
    configurations: tuple[str, ...] = ()  # files that settings came from


class Draft(NamedTuple):
    """What can be told of a command line that cannot be carried out: for the report of that."""

    source: bytes
    dest: bytes
    output: Output


def draft_mrsync(arguments: Sequence[str]) -> Draft:
    """Raises UsageError."""
    options, _ = parse_configured(mrsync_parser(), arguments)
    take_positionals(options)
    source = os.fsencode(absolute(options.source or ""))
    return Draft(source, os.fsencode(options.dest) if options.dest else source, _output(options, ()))


def draft_multicaster(arguments: Sequence[str]) -> Draft:
    """Raises UsageError."""
    options = _multicaster_parser().parse_args(arguments)
    return Draft(os.fsencode(absolute(options.source or "")), b"", _output(options, ()))


def parse_mrsync(arguments: Sequence[str]) -> tuple[CastSettings, Output]:
    """Raises UsageError, SelectionError."""
    options, configurations = parse_configured(mrsync_parser(), arguments)
    take_positionals(options)
    source = source_of(options.source)
    is_local = options.rsh == LOCAL
    targets = targets_of(options.targets, options.exclude_target, keeps_own_host=is_local)
    policy, selection = _policy_and_selection(options)
    settings = CastSettings(
        source=source,
        dest=_dest(options, is_local=is_local) or source,
        targets=targets.hosts,
        remote_shell=options.rsh,
        secret=os.urandom(SECRET_BYTES),
        signing_seed=os.urandom(SEED_BYTES),
        own_secrets=() if options.trust_targets or options.topology else draw_own_secrets(len(targets.hosts)),
        network=network_of(options)._replace(has_loop=options.loop or is_local),
        rate_bytes_s=options.rate,
        ack_wait_s=options.ack_wait,
        has_monitor=_has_monitor(options),
        is_encrypted=options.is_encrypted,
        quits_on_bad=options.quit_on_bad,
        policy=policy,
        selection=selection,
        is_dry_run=options.dry_run,
        verbosity=options.verbose,
        remote=remote_of(options),
    )
    if is_local:
        dests = {host: settings.dest_for(host) for host in settings.targets}
        off_limits = check_local_dests(source, dests, selection)
        check_local_backups(policy, dests)
        settings = settings._replace(selection=selection._replace(off_limits=off_limits))
    return settings, _output(options, targets.left_out)._replace(configurations=configurations)


def parse_multicaster(arguments: Sequence[str]) -> tuple[CastSettings, Output]:
    """Raises UsageError, SelectionError, FileError."""
    options = _multicaster_parser().parse_args(arguments)
    source = source_of(options.source)
    targets = targets_of(options.targets, options.exclude_target, keeps_own_host=True)
    policy, selection = _policy_and_selection(options)
    settings = CastSettings(
        source=source,
        dest=b"",
        targets=targets.hosts,
        remote_shell=None,
        secret=secret_of(options),
        network=network_of(options, by_hand=True),
        rate_bytes_s=options.rate,
        ack_wait_s=options.ack_wait,
        has_monitor=_has_monitor(options),
        is_encrypted=options.is_encrypted,
        quits_on_bad=options.quit_on_bad,
        policy=policy,
        selection=selection,
        verbosity=options.verbose,
    )
    return settings, _output(options, targets.left_out)


def parse_multicatcher(arguments: Sequence[str]) -> CatchSettings:
    """Raises UsageError, FileError."""
    options = _multicatcher_parser().parse_args(arguments)
    if options.suffix is not None:
        check_suffix(options.suffix)
    return CatchSettings(
        target=options.id,
        host=os.uname().nodename,
        dest=os.fsencode(options.dest),
        secret=secret_of(options),
        network=network_of(options, by_hand=True),
        verbosity=options.verbose,
        has_master=False,
        master=_master(options),
        backup_suffix=options.suffix,
    )


def _has_monitor(options: argparse.Namespace) -> bool:
    """Raises UsageError."""
    if options.no_monitor and options.rate is None:
        raise UsageError("-x needs --rate: without feedback nothing else says how fast to send")
    return not options.no_monitor


def _master(options: argparse.Namespace) -> str | None:
    """Its numeric address. Raises UsageError."""
    if options.master is None:
        if options.unicast:
            raise UsageError("--unicast needs --master, the address of the host that casts")
        return None
    family = family_of(options.group) if options.group else socket.AF_UNSPEC
    try:
        found = socket.getaddrinfo(options.master, None, family, socket.SOCK_DGRAM)
    except socket.gaierror as error:
        raise UsageError(f"--master {options.master}: {error.strerror}") from error
    return str(found[0][4][0])


def mrsync_parser() -> Parser:
    """What mrsync knows, and files may set for it."""
    parser = make_parser("mrsync", "Make DEST on all TARGETS equal to SOURCE, every byte sent once, by multicast.")
    forms = (
        "-m TARGETS -s SOURCE [-t DEST] [options]",
        "SOURCE TARGETS:DEST [options]",
        "rtt | doctor | filelist | demo ...",
    )
    parser.usage = "\n       ".join(f"mrsync {form}" for form in forms)
    parser.add_argument("positionals", nargs="*", help=argparse.SUPPRESS)
    what = parser.section(WHAT)
    _add_cast_options(parser)
    what.add_argument("-t", "--dest", metavar="DEST", help="directory there, {host} is replaced; default: as SOURCE")
    what.add_argument("-n", "--dry-run", action="store_true", help="tell what would change, change nothing")
    add_backup_options(parser, has_letters=False)
    list_options.add_list_options(parser)
    list_options.add_compare_options(parser)
    add_config_option(parser)
    parser.section(REMOTE).add_argument(
        "-r", "--rsh", default="ssh", metavar="R", help="remote shell; local: processes here; default: ssh"
    )
    add_remote_options(parser)
    return parser


def add_remote_options(parser: Parser, *, directory: str | None = "-b", program: str = "multicatcher") -> None:
    """How its program gets to the targets. directory: the short name of --remote-dir, None: it is always pushed."""
    section = parser.section(REMOTE)
    add = section.add_argument
    default = Remote()
    place = section.add_mutually_exclusive_group()
    if directory is not None:
        place.add_argument(
            directory,
            "--remote-dir",
            type=values.remote_word,
            metavar="D",
            help=f"where targets have {program}; push nothing",
        )
    else:
        parser.set_defaults(remote_dir=None)
    place.add_argument(
        "--remote-python", type=values.remote_word, default=default.python, metavar="P", help="default: python3"
    )
    add(
        "--fanout",
        type=values.fanout,
        default=default.fanout,
        metavar="N",
        help=f"remote shells that have not answered yet, at a time; default: {default.fanout}",
    )
    add(
        "--connect-timeout",
        type=values.seconds,
        default=default.connect_timeout_s,
        metavar="S",
        help=f"for a remote shell to get through; default: {default.connect_timeout_s:g}",
    )
    add("--topology", metavar="F", help="start through gateways, as ClusterShell's topology.conf says")
    add("--trust-targets", action="store_true", help="one secret for all: a target could speak for another one")


def _multicaster_parser() -> Parser:
    parser = make_parser("multicaster", "Cast SOURCE to multicatchers that were started by hand.")
    _add_cast_options(parser)
    add_backup_options(parser, has_letters=True)
    list_options.add_list_options(parser, "-f")
    add_key_options(parser)
    return parser


def _multicatcher_parser() -> Parser:
    parser = make_parser("multicatcher", "Catch what a multicaster casts, into DEST.")
    parser.add_argument("-t", "--dest", required=True, metavar="DEST", help="directory to make equal to the source")
    parser.add_argument(
        "-i",
        "--id",
        required=True,
        type=values.target_id,
        metavar="ID",
        help="position in multicaster's TARGETS, from 0",
    )
    add_network_options(parser)
    parser.add_argument("--master", metavar="M", help="who casts: to be asked for unicast where no multicast is heard")
    parser.add_argument("--unicast", action="store_true", help="join no group")
    parser.add_argument("-u", "--suffix", metavar="SUFFIX", help="of backups here, instead of multicaster's")
    add_verbose_option(parser)
    add_key_options(parser)
    return parser


def _add_cast_options(parser: Parser) -> None:
    add = parser.section(WHAT).add_argument
    add("-m", "--targets", metavar="TARGETS", help="file with one per line, or a list: a,b node[001-100] @group")
    add("--exclude-target", metavar="T", help="leave these out of TARGETS")
    add("-s", "--source", metavar="SOURCE", help="directory here whose contents are cast")
    add("-w", "--ack-wait", type=values.seconds, default=60.0, metavar="S", help="seconds of silence; default: 60")
    add("-q", "--quit-on-bad", action="store_true", help="end the run when one target is bad")
    file_options.add_file_options(parser)
    _add_output_options(parser)
    add_network_options(parser)
    add_reach_options(parser)
    network = parser.section(NETWORK)
    add = network.add_argument
    add("--unicast", action="store_true", help="no multicast at all: the same to each target by itself")
    add("--rate", type=values.rate, metavar="R", help="at most so many bytes/s; K, M, G")
    add("--bwlimit", dest="rate", type=values.bwlimit, metavar="R", help="the same as rsync has it: KiB/s")
    add("-x", "--no-monitor", action="store_true", help="no feedback: send at --rate, and repair what is lost")
    sealing = network.add_mutually_exclusive_group()
    sealing.add_argument(
        "--encrypt", dest="is_encrypted", action="store_true", default=None, help="fail rather than send unencrypted"
    )
    sealing.add_argument(
        "--no-encrypt", dest="is_encrypted", action="store_false", default=None, help="authenticate only"
    )


def _add_output_options(parser: Parser) -> None:
    add = parser.section(OUTPUT).add_argument
    add_verbose_option(parser)
    add("--progress", choices=("auto", "plain", "none", "json"), default="auto", help="default: auto")
    add("--stats", action="store_true", help="tell more at the end")
    add("--report", action="append", default=[], metavar="FILE", help="write the outcome to a .json or .html file")
    add("--log-file", metavar="F", help="append when sessions began and how they ended, and every notice between")
    add("--log-format", choices=("text", "json"), default="text", help="of the log file; default: text")
    add("--metrics", metavar="FILE.prom", help="write figures for Prometheus (node_exporter's textfile collector)")


def add_reach_options(parser: Parser) -> None:
    """How far casting goes."""
    add = parser.section(NETWORK).add_argument
    add("-T", "--ttl", type=values.ttl, default=1, metavar="N", help="default: 1; N passes N - 1 multicast routers")
    add("-L", "--loop", action="store_true", help="be heard on this host, too")


def add_network_options(parser: Parser, groups: Groups = GROUPS, port: int = Network().port) -> None:
    """Where the group is."""
    add = parser.section(NETWORK).add_argument
    add("-A", "--group", type=values.group, metavar="A", help=f"default: {groups.ipv4} or {groups.ipv6}; auto")
    add("-P", "--port", type=values.port, default=port, metavar="P", help=f"data; reports at P-1; default: {port}")
    add("-I", "--interface", metavar="I", help="names, indices or addresses, with commas; default: by the route")


def add_config_option(parser: Parser) -> None:
    """For those that read files with settings."""
    parser.section(OUTPUT).add_argument(
        "--config", metavar="FILE", help=f"settings, over those of {SYSTEM_FILE} and ~/.config/mrsync"
    )


def add_verbose_option(parser: Parser) -> None:
    """How much is told."""
    parser.section(OUTPUT).add_argument(
        "-v", "--verbose", type=values.verbosity, default=0, metavar="N", help="0 essential, 1 status, 2 debugging"
    )


def add_key_options(parser: Parser, *, is_required: bool = True) -> argparse._MutuallyExclusiveGroup:
    """The secret of programs that are started by hand; whatever else excludes it belongs into the group."""
    group = parser.add_mutually_exclusive_group(required=is_required)
    group.add_argument("--key-file", metavar="FILE", help="shared secret, mode 0600, at least 16 bytes")
    group.add_argument("--insecure", action="store_true", help="no secret: whoever reaches the group may cast")
    return group


def _policy_and_selection(options: argparse.Namespace) -> tuple[Policy, Selection]:
    return list_options.apply(options, file_options.policy(options), file_options.selection(options))


def _dest(options: argparse.Namespace, *, is_local: bool) -> bytes:
    """DEST, empty if it is not given. Raises UsageError."""
    if not options.dest:
        return b""
    if is_local:
        return os.fsencode(os.path.expanduser(options.dest))
    check_remote_dest(options.dest)
    return os.fsencode(options.dest)


def targets_of(text: str | None, excluded: str | None, *, keeps_own_host: bool) -> Targets:
    """Raises UsageError."""
    if not text:
        raise UsageError("TARGETS is missing (-m)")
    targets = read_targets(text, excluded, keeps_own_host=keeps_own_host)
    if len(targets.hosts) > TARGETS_MAX:
        raise UsageError(f"{len(targets.hosts)} targets, more than the {TARGETS_MAX} a session can have")
    return targets


def remote_of(options: argparse.Namespace) -> Remote:
    """Raises UsageError."""
    if options.rsh == LOCAL and (options.remote_dir or options.topology):
        raise UsageError("--remote-dir and --topology lead to other hosts, -r local does not")
    if options.topology is not None and not os.path.isfile(options.topology):
        raise UsageError(f"--topology {options.topology}: there is no such file")
    return Remote(
        python=options.remote_python,
        directory=options.remote_dir,
        fanout=options.fanout,
        connect_timeout_s=options.connect_timeout,
        topology=options.topology,
    )


def secret_of(options: argparse.Namespace) -> bytes:
    """Raises UsageError, FileError."""
    return read_secret(options.key_file) if options.key_file else INSECURE_SECRET


def network_of(options: argparse.Namespace, *, by_hand: bool = False) -> Network:
    """Where the session is spoken; by_hand: the other end is told by the user. Raises UsageError."""
    if by_hand and options.group == AUTO:
        raise UsageError("-A auto is for catchers that are started from here; by hand they must be told a group")
    is_unicast = "unicast" in options and options.unicast
    network = Network(options.group, options.port, interface=options.interface, is_unicast=is_unicast)
    return network._replace(ttl=options.ttl, has_loop=options.loop) if "ttl" in options else network


def _output(options: argparse.Namespace, left_out: tuple[str, ...]) -> Output:
    reports = {os.path.splitext(path)[1]: path for path in options.report}  # of each kind the last one
    for kind, path in reports.items():
        if kind not in (".json", ".html"):
            raise UsageError(f"--report {path}: only .json and .html can be written")
    files = [*(("--report", path) for path in reports.values()), ("--metrics", options.metrics)]
    for option, path in files:
        if path:
            check_output(option, path)
    return Output(
        options.progress,
        options.stats,
        reports.get(".json"),
        reports.get(".html"),
        options.metrics,
        options.verbose,
        left_out,
        options.log_file,
        options.log_format,
    )
