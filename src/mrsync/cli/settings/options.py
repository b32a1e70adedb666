"""Parse the command lines of mrsync, multicaster and multicatcher into their settings."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable, Sequence
from typing import Any

from mrsync.cli.registry.option import MRSYNC, MULTICASTER, MULTICATCHER
from mrsync.cli.registry.options import fields_of
from mrsync.cli.registry.parser import make_parser
from mrsync.cli.settings import file_options, list_options
from mrsync.cli.settings.backup_options import check_local_backups, check_suffix
from mrsync.cli.settings.configuration import parse_configured
from mrsync.cli.settings.form import form_of
from mrsync.cli.settings.info_flags import apply_info
from mrsync.cli.settings.network_options import keys_of, master_of, network_of
from mrsync.cli.settings.output_options import Output, output_of
from mrsync.cli.settings.places import (
    absolute_source,
    check_dest,
    check_home,
    check_home_mode,
    check_local_dests,
    source_of,
    take_positionals,
)
from mrsync.cli.settings.sources import all_sources, chosen_source, is_one_file, roots_of
from mrsync.cli.settings.target_options import may_be_root, remote_of, targets_of
from mrsync.remote.targets import Targets
from mrsync.run.settings import (
    LOCAL,
    CastSettings,
    CatchSettings,
    draw_own_secrets,
)
from mrsync.tree.model.policy import Policy
from mrsync.tree.source.modes import ModeChange
from mrsync.tree.source.selection import Selection
from mrsync.tuples import NamedTuple
from mrsync.wire.limits import SECRET_BYTES
from mrsync.wire.seals.signing import SEED_BYTES


class Draft(NamedTuple):
    """The parts of a faulty command line that are known, for its report. targets: as the user names them."""

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
    return Draft(source, dest, ",".join(options.targets), output_of(options))


def draft_multicaster(arguments: Sequence[str]) -> Draft:
    """Return what is known of a faulty command line. Raise UsageError if that is too little."""
    options = make_parser(MULTICASTER).parse_args(arguments)
    source = absolute_source(options.source or "")
    return Draft(source, b"", ",".join(options.targets), output_of(options))


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
    return settings, output_of(options, targets).validated()._replace(configurations=configurations)


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
    return settings, output_of(options, targets).validated()


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
        master=master_of(options),
        backup_suffix=options.suffix,
        **fields_of(MULTICATCHER, "settings", options),
    )


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
    may_give = not policy.user_map and may_be_root(options, targets)
    if policy.deletes:
        check_home(options.dest)
    for root in roots:
        check_home_mode(options.dest, root, mode_changes, keeps_owner=may_give)
    return os.fsencode(options.dest)
