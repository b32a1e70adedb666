"""Options that choose files, and that decide how they are compared and put in place."""

from __future__ import annotations

import argparse
import os

from mrsync.cli.registry.option import MULTICASTER
from mrsync.cli.registry.options import fields_of
from mrsync.cli.settings.backup_options import backup_fields
from mrsync.cli.settings.rule_options import has_nuls, read_files, read_rules, read_target_rules
from mrsync.tree.fs.owners import parse_owners
from mrsync.tree.model.policy import Policy
from mrsync.tree.source.modes import parse_mode_changes
from mrsync.tree.source.selection import Selection


def policy(options: argparse.Namespace) -> Policy:
    """Return the policy, which is sent to the targets."""
    return Policy(
        rules=read_target_rules(options),
        rules_have_nuls=has_nuls(options),
        durable=options.commit == "job" if options.durable is None else options.durable,
        max_delete=max(-1, options.max_delete),
        devices=options.devices or options.D,
        specials=options.specials or options.D,
        **backup_fields(options),
        **fields_of(MULTICASTER, "policy", options),
    )


def selection(options: argparse.Namespace) -> Selection:
    """Return the selection from the source. Raise UsageError."""
    user, group = parse_owners(options.chown) if options.chown else (None, None)
    umask = os.umask(0o077)
    os.umask(umask)
    return Selection(
        mode_changes=tuple([change for text in options.chmod for change in parse_mode_changes(text, umask)]),
        user=user,
        group=group,
        rules=read_rules(options),
        has_nuls=has_nuls(options),
        files=read_files(options),
        **fields_of(MULTICASTER, "selection", options),
    )
