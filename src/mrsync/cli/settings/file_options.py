"""Options that choose files, and that decide how they are compared and put in place."""

from __future__ import annotations

import argparse
import os

from mrsync.cli.registry.option import MULTICASTER
from mrsync.cli.registry.options import fields_of
from mrsync.cli.settings.backup_options import backup_fields
from mrsync.cli.settings.rule_options import has_nuls, read_files, read_rules, read_target_rules
from mrsync.errors import UsageError
from mrsync.tree.fs.owners import maps_of_chown, parse_owner_map
from mrsync.tree.model.policy import Policy
from mrsync.tree.source.modes import parse_mode_changes
from mrsync.tree.source.selection import Selection


def policy(options: argparse.Namespace) -> Policy:
    """Return the policy, which is sent to the targets."""
    user_map, group_map = _owner_maps(options)
    own = fields_of(MULTICASTER, "policy", options)
    own["itemizes"] = own["itemizes"] or options.out_format is not None
    return Policy(
        owners=options.owner or bool(user_map),
        groups=options.groups or bool(group_map),
        modes=options.perms or options.acls,
        user_map=user_map,
        group_map=group_map,
        rules=read_target_rules(options),
        rules_have_nuls=has_nuls(options),
        rereads_rules=options.is_rsync_form and options.deletes_after,
        durable=options.commit == "job" if options.durable is None else options.durable,
        max_delete=-1 if options.max_delete is None else max(0, options.max_delete),
        spares_mounts=bool(options.one_file_system),
        devices=options.devices or options.D,
        specials=options.specials or options.D,
        **backup_fields(options),
        **own,
    )


def _owner_maps(options: argparse.Namespace) -> tuple[str, str]:
    """Return the maps of users and groups, empty if there is none. Raise UsageError."""
    given = {"--usermap": options.usermap, "--groupmap": options.groupmap}
    for name, text in given.items():
        if text is not None:
            parse_owner_map(text, name)
    users, groups = maps_of_chown(options.chown or "")
    if (users and options.usermap) or (groups and options.groupmap):
        raise UsageError("--chown contradicts --usermap and --groupmap: give only one of them, or both maps")
    return users or options.usermap or "", groups or options.groupmap or ""


def selection(options: argparse.Namespace) -> Selection:
    """Return the selection from the source. Raise UsageError."""
    umask = os.umask(0o077)
    os.umask(umask)
    return Selection(
        mode_changes=tuple([change for text in options.chmod for change in parse_mode_changes(text, umask)]),
        rules=read_rules(options),
        has_nuls=has_nuls(options),
        files=read_files(options),
        ignores_missing=getattr(options, "ignore_missing_args", False),  # missing in multicaster
        deletes_missing=getattr(options, "delete_missing_args", False),
        **fields_of(MULTICASTER, "selection", options),
    )
