"""The command lines of mrsync, multicaster and multicatcher, and their settings."""

from __future__ import annotations

import argparse
import os
import socket
from collections.abc import Iterable, Sequence
from typing import Any

from mrsync.cli.output.line_format import problem_of
from mrsync.cli.output.output_files import check_output
from mrsync.cli.registry.option import MRSYNC, MULTICASTER, MULTICATCHER
from mrsync.cli.registry.options import fields_of
from mrsync.cli.registry.parser import make_parser
from mrsync.cli.settings import file_options, list_options
from mrsync.cli.settings.backup_options import check_local_backups, check_suffix
from mrsync.cli.settings.configuration import parse_configured
from mrsync.cli.settings.form import form_of
from mrsync.cli.settings.info_flags import apply_info
from mrsync.cli.settings.places import (
    absolute_source,
    check_dest,
    check_home,
    check_home_mode,
    check_local_dests,
    doubts_of,
    source_of,
    take_positionals,
)
from mrsync.cli.settings.sources import all_sources, chosen_source, is_one_file, roots_of
from mrsync.errors import UsageError
from mrsync.remote.keyfile import INSECURE_KEYS, Keys, read_keys
from mrsync.remote.targets import Targets, named_among, read_targets
from mrsync.run.observer import Notice
from mrsync.run.settings import (
    AUTO,
    LOCAL,
    CastSettings,
    CatchSettings,
    Network,
    Remote,
    draw_own_secrets,
)
from mrsync.transport.network.interface import family_of
from mrsync.tree.model.policy import Policy
from mrsync.tree.source.modes import ModeChange
from mrsync.tree.source.selection import Selection
from mrsync.tuples import NamedTuple
from mrsync.wire.limits import SECRET_BYTES, TARGETS_MAX
from mrsync.wire.seals.signing import SEED_BYTES


class Output(NamedTuple):
    """What to print and which files to write."""

    progress: str = "auto"
    has_stats: bool = False
    is_quiet: bool = False
    report: str | None = None  # path of the JSON report
    page: str | None = None  # path of the HTML report
    metrics: str | None = None
    verbosity: int = 0
    remarks: tuple[Notice, ...] = ()  # on what is taken in one way, although another one may be meant
    line_format: str | None = None  # of --out-format
    human_level: int = 1  # of numbers, as rsync's --human-readable
    log_file: str | None = None
    log_format: str = "text"
    log_level: str = "info"
    configurations: tuple[str, ...] = ()  # paths of the settings files that were read

    def validated(self) -> Output:
        """Return the output. Raise UsageError if its parts contradict each other."""
        if self.log_level == "debug" and self.log_file is None:
            raise UsageError("--log-level debug: name the file to write to with --log-file")
        return self


class Draft(NamedTuple):
    """What is known of a command line that cannot be carried out, for its report. targets: as the user names them."""

    source: bytes
    dest: bytes
    targets: str
    output: Output


def draft_mrsync(arguments: Sequence[str]) -> Draft:
    """Return what is known of a faulty command line. Raise UsageError if that is too little."""
    form = form_of(arguments)
    options, _ = parse_configured(form.parser, form.words, settings_parser=form.settings)
    take_positionals(options)
    source = absolute_source(options.source or "")
    dest = os.fsencode(options.dest) if options.dest else source
    return Draft(source, dest, ",".join(options.targets), _output(options))


def draft_multicaster(arguments: Sequence[str]) -> Draft:
    """Return what is known of a faulty command line. Raise UsageError if that is too little."""
    options = make_parser(MULTICASTER).parse_args(arguments)
    source = absolute_source(options.source or "")
    return Draft(source, b"", ",".join(options.targets), _output(options))


def parse_mrsync(arguments: Sequence[str], *, reads_files: bool = True) -> tuple[CastSettings, Output]:
    """Parse the command line of mrsync. Raise UsageError or SelectionError.

    reads_files: also read the system's and the user's settings file.
    """
    form = form_of(arguments)
    options, configurations = parse_configured(
        form.parser, form.words, settings_parser=form.settings, reads_defaults=reads_files
    )
    apply_info(options)
    take_positionals(options)
    source, operands = chosen_source(options)
    is_local = options.rsh == LOCAL
    targets = targets_of(options, keeps_own_host=is_local)
    policy, selection = _policy_and_selection(options)
    selection = selection._replace(**operands)
    guards_deletions = policy.deletes and not _is_deletion_meant(options, form.words)
    policy = policy._replace(is_one_file=is_one_file(options), guards_deletions=guards_deletions)
    settings = CastSettings(
        source=source,
        dest=_dest(options, targets, roots_of(options, operands), policy, selection.mode_changes) or source,
        targets=targets.hosts,
        remote_shell=options.rsh,
        secret=os.urandom(SECRET_BYTES),
        signing_seed=b"" if is_local else os.urandom(SEED_BYTES),
        own_secrets=() if options.trust_targets or options.topology else draw_own_secrets(len(targets.hosts)),
        network=network_of(options)._replace(has_loop=options.loop or is_local),
        has_monitor=not options.no_monitor,
        policy=policy,
        selection=selection,
        remote=remote_of(options, MRSYNC, targets),
        **_compression(options),
        **fields_of(MRSYNC, "settings", options),
    ).validated()
    if is_local:
        dests = {host: settings.dest_for(host) for host in settings.targets}
        off_limits = check_local_dests(all_sources(options) or [source], dests, selection)
        check_local_backups(policy, dests)
        settings = settings._replace(selection=selection._replace(off_limits=off_limits))
    return settings, _output(options, targets).validated()._replace(configurations=configurations)


def parse_multicaster(arguments: Sequence[str]) -> tuple[CastSettings, Output]:
    """Parse the command line of multicaster. Raise UsageError, SelectionError or FileError."""
    options = make_parser(MULTICASTER).parse_args(arguments)
    source = source_of(options.source)
    targets = targets_of(options, keeps_own_host=True)
    policy, selection = _policy_and_selection(options)
    guards_deletions = policy.deletes and not _is_deletion_meant(options, arguments)
    policy = policy._replace(guards_deletions=guards_deletions)
    keys = keys_of(options)
    settings = CastSettings(
        source=source,
        dest=b"",
        targets=targets.hosts,
        remote_shell=None,
        secret=keys.group,
        own_secrets=keys.of_all(targets.hosts),
        network=network_of(options, by_hand=True),
        has_monitor=not options.no_monitor,
        policy=policy,
        selection=selection,
        **_compression(options),
        **fields_of(MULTICASTER, "settings", options),
    ).validated()
    return settings, _output(options, targets).validated()


def parse_multicatcher(arguments: Sequence[str]) -> CatchSettings:
    """Parse the command line of multicatcher. Raise UsageError or FileError."""
    options = make_parser(MULTICATCHER).parse_args(arguments)
    if options.suffix is not None:
        check_suffix(options.suffix)
    keys = keys_of(options)
    return CatchSettings(
        target=options.id,
        host=os.uname().nodename,
        dest=os.fsencode(options.dest),
        secret=keys.group,
        own_secret=keys.of_one(options.id),
        network=network_of(options, by_hand=True),
        has_master=False,
        master=_master(options),
        backup_suffix=options.suffix,
        **fields_of(MULTICATCHER, "settings", options),
    )


def _master(options: argparse.Namespace) -> str | None:
    """Return the numeric address of --master, or None. Raise UsageError."""
    if options.master is None:
        if options.unicast:
            raise UsageError("--unicast needs --master, the address of the master")
        return None
    family = family_of(options.group) if options.group else socket.AF_UNSPEC
    try:
        found = socket.getaddrinfo(options.master, None, family, socket.SOCK_DGRAM)
    except socket.gaierror as error:
        raise UsageError(f"--master {options.master}: {error.strerror}") from error
    return str(found[0][4][0])


def _policy_and_selection(options: argparse.Namespace) -> tuple[Policy, Selection]:
    return list_options.apply(options, file_options.policy(options), file_options.selection(options))


def _compression(options: argparse.Namespace) -> dict[str, Any]:
    """Return how pages are compressed, for CastSettings. As in rsync, each of the three options asks for it."""
    choice, level = options.compress_choice, options.compress_level
    is_asked = options.compress or choice is not None or level is not None
    if not is_asked or choice == "none" or (level == 0 and choice != "zstd"):  # zstd of rsync: 0 is the default level
        return {}
    return {"compression": choice or "auto", "compress_level": level or 1}


def _is_deletion_meant(options: argparse.Namespace, words: Sequence[str]) -> bool:
    """Return whether the command line itself asks for deletions or limits them."""
    return options.is_rsync_form or options.max_delete is not None or options.delete_excluded or "--delete" in words


def _dest(
    options: argparse.Namespace,
    targets: Targets,
    roots: Iterable[bytes],
    policy: Policy,
    mode_changes: Sequence[ModeChange],
) -> bytes:
    """Return DEST, or b"" if it is not given. Raise UsageError.

    roots: directories of which DEST gets the mode and owner, as far as mode_changes and the policy do not change them.
    """
    if not options.dest:
        return b""
    check_dest(options.dest)
    if options.rsh == LOCAL:
        return os.fsencode(os.path.expanduser(options.dest))
    may_give = not policy.user_map and _may_be_root(options, targets)
    if policy.deletes:
        check_home(options.dest)
    for root in roots:
        check_home_mode(options.dest, root, mode_changes, keeps_owner=may_give)
    return os.fsencode(options.dest)


def _may_be_root(options: argparse.Namespace, targets: Targets) -> bool:
    """Return whether a catcher may run as root, for all that is known here: ssh_config may name users, too."""
    uses_sudo = options.sudo or options.rsync_path or any(each.becomes_root for each in targets.members.values())
    users = {host.rpartition("@")[0] or options.remote_user or "root" for host in targets.hosts}
    return bool(uses_sudo) or "root" in users


def targets_of(options: argparse.Namespace, *, keeps_own_host: bool) -> Targets:
    """Return the targets. keeps_own_host: see read_targets. Raise UsageError.

    What a settings file excludes need not be among them: it is for many runs.
    """
    if not all(options.targets or [""]):
        raise UsageError("TARGETS is missing (-m)")
    typed = getattr(options, "typed", options).exclude_target
    elsewhere = options.exclude_target[: len(options.exclude_target) - len(typed)]
    targets = read_targets(options.targets, typed, elsewhere, keeps_own_host=keeps_own_host)
    if len(targets.hosts) > TARGETS_MAX:
        raise UsageError(f"{len(targets.hosts)} targets, more than the {TARGETS_MAX} a session can have")
    return targets


def remote_of(options: argparse.Namespace, program: str, targets: Targets) -> Remote:
    """Return how to start catchers on these targets. Raise UsageError."""
    if options.rsh == LOCAL:
        return _on_this_host(options, program)
    remote = _asked_remote(options, program)
    if remote.topology is not None and not os.path.isfile(remote.topology):
        raise UsageError(f"--topology {remote.topology}: there is no such file")
    if isinstance(options.sudo, str):
        is_typed = isinstance(getattr(options, "typed", options).sudo, str)
        remote = _with_sudo_on(options.sudo, remote, targets, names_others=not is_typed)
    return _as_listed(remote, targets, reads_become=options.sudo is None)


def _asked_remote(options: argparse.Namespace, program: str) -> Remote:
    is_sudo = options.sudo not in (None, False)
    remote = Remote(directory=options.remote_dir, is_sudo=is_sudo, **fields_of(program, "remote", options))
    return _started_like_rsync(remote)


def _on_this_host(options: argparse.Namespace, program: str) -> Remote:
    """Return how to start catchers on this host. Raise UsageError if the command line says more of it.

    What settings files say of other hosts counts for those only.
    """
    default = {name: getattr(Remote(), name) for name in ("directory", "topology", "user", "is_sudo", "python")}
    typed = _asked_remote(getattr(options, "typed", options), program)
    if typed != typed._replace(**default):
        names = "--remote-dir, --remote-python, --remote-user, --rsync-path, --sudo and --topology"
        raise UsageError(f"{names} are for other hosts, not for -r local")
    return _asked_remote(options, program)._replace(**default)


def _as_listed(remote: Remote, targets: Targets, *, reads_become: bool) -> Remote:
    """Return how to start catchers, with the ports of inventories and, if the user says nothing of sudo, their sudo.

    Raise UsageError.
    """
    ports = {host: member.port for host, member in targets.members.items() if member.port}
    if ports and remote.topology is not None:
        host, port = next(iter(ports.items()))
        raise UsageError(f"{host} has port {port} (ansible_port): behind gateways (--topology), give it to ssh_config")
    remote = remote._replace(ports=ports)
    if remote.is_sudo or not reads_become:
        return remote
    if problem := next((one.become_problem for one in targets.members.values() if one.become_problem), ""):
        raise UsageError(f"{problem}; say with --sudo, --sudo=TARGETS or --no-sudo where catchers run as root")
    becoming = frozenset(host for host, member in targets.members.items() if member.becomes_root)
    if not becoming:
        return remote
    is_everyone = len(becoming) == len(targets.hosts)
    if remote.topology is not None and not is_everyone:
        raise UsageError("ansible_become: gateways (--topology) start all targets alike; give --sudo or --no-sudo")
    return remote._replace(is_sudo=True, sudo_only=None if is_everyone else becoming)


def _with_sudo_on(text: str, remote: Remote, targets: Targets, *, names_others: bool) -> Remote:
    """Return how to start catchers, with sudo on the targets that --sudo names. Raise UsageError.

    names_others: it may name targets of other runs, because it is in a settings file.
    """
    try:
        chosen = named_among(text, targets, names_others=names_others)
    except UsageError as error:
        raise UsageError(f"--sudo={text}: {error}") from error
    if len(chosen) in (0, len(targets.hosts)):
        return remote._replace(is_sudo=bool(chosen))
    if remote.topology is not None:
        raise UsageError(f"--sudo={text}: gateways (--topology) start all targets alike; give --sudo without names")
    if (remote.rsync_path or "").split()[:1] == ["sudo"]:
        raise UsageError(f"--sudo={text}: --rsync-path '{remote.rsync_path}' is for all targets; leave out its sudo")
    return remote._replace(sudo_only=chosen)


def _started_like_rsync(remote: Remote) -> Remote:
    """Return how to start catchers, with the commands that --rsync-path has before rsync. Raise UsageError."""
    before = (remote.rsync_path or "").split()[:-1]
    if not before:
        return remote
    is_sudo = before[0] == "sudo"
    if is_sudo:
        before = before[2:] if before[1:2] == ["-n"] else before[1:]
    if before and before[0].startswith("-"):
        raise UsageError(f"--rsync-path '{remote.rsync_path}': give sudo no option but -n")
    return remote._replace(is_sudo=remote.is_sudo or is_sudo, python=" ".join([*before, remote.python]))


def keys_of(options: argparse.Namespace) -> Keys:
    """Return the keys from --key-file or --insecure. Raise the errors of read_keys."""
    return read_keys(options.key_file) if options.key_file else INSECURE_KEYS


def network_of(options: argparse.Namespace, *, by_hand: bool = False) -> Network:
    """Return the place of the session. by_hand: the user starts the other end. Raise UsageError."""
    if by_hand and options.group == AUTO:
        raise UsageError("-A auto needs catchers that are started from here; choose a group for those started by hand")
    is_unicast = "unicast" in options and options.unicast
    network = Network(options.group, options.port, interface=options.interface, is_unicast=is_unicast)
    return network._replace(ttl=options.ttl, has_loop=options.loop) if "ttl" in options else network


def remarks_on(targets: Targets) -> tuple[Notice, ...]:
    """Return remarks for the user about how TARGETS were understood."""
    read = [
        Notice(0, f"{name} is a file, so targets are read from it; write ./{name} to say so, or '{name},' for a host")
        for name in targets.files
    ]
    return (*read, *(Notice(0, "left out, because it is this host", host) for host in targets.left_out))


def _output(options: argparse.Namespace, targets: Targets | None = None) -> Output:
    """Return what to print and write. targets: None if they are not known, because the command line is wrong.

    Raise UsageError, or FileError if a file could not be written.
    """
    if problem := problem_of(options.out_format or ""):
        raise UsageError(f"--out-format {options.out_format}: {problem}")
    reports = {os.path.splitext(path)[1]: path for path in options.report}  # the last path of each kind counts
    for kind, path in reports.items():
        if kind not in (".json", ".html"):
            raise UsageError(f"--report {path}: only .json and .html can be written")
    if options.metrics and not options.metrics.endswith(".prom"):
        raise UsageError(f"--metrics {options.metrics}: node_exporter reads files in .prom only")
    files = [*(("--report", path) for path in reports.values()), ("--metrics", options.metrics)]
    for option, path in files:
        if path:
            check_output(option, path)
    doubts = (Notice(0, f"warning: {doubt}") for doubt in doubts_of(options))
    return Output(
        report=reports.get(".json"),
        page=reports.get(".html"),
        verbosity=options.verbose,
        remarks=(*remarks_on(targets), *list_options.remarks(options), *doubts) if targets is not None else (),
        line_format=options.out_format,
        human_level=getattr(options, "human_level", 1),
        **fields_of(MULTICASTER, "output", options),
    )
