"""The options that say which files are taken, how they are compared and how they are put in place."""

from __future__ import annotations

import argparse
import os

from mrsync.cli import values
from mrsync.cli.backup_options import backup_fields
from mrsync.cli.parser import CHOICE, DELETION, KEEPING, Parser
from mrsync.cli.rule_options import add_rule_options, has_nuls, read_files, read_rules, read_target_rules
from mrsync.errors import UsageError
from mrsync.tree.fs.owners import parse_owners
from mrsync.tree.model.policy import Policy
from mrsync.tree.source.modes import parse_mode_changes
from mrsync.tree.source.selection import Selection

RULES = ("file", "each", "job")
YES_OR_NO = argparse.BooleanOptionalAction


def add_file_options(parser: Parser) -> None:
    """What mrsync and multicaster have in common."""
    add_rule_options(parser)
    _add_choice_options(parser)
    _add_comparison_options(parser)
    _add_attribute_options(parser)
    _add_deletion_options(parser)


def _add_choice_options(parser: Parser) -> None:
    add = parser.section(CHOICE).add_argument
    add("--files-from", metavar="FILE", help="take only the paths that this file lists; -: stdin")
    add("--recursive", action="store_true", help="with --files-from: listed directories with all in them")
    add("--max-size", type=values.size, metavar="SIZE", help="leave larger files alone: 1.5m, 2gb-1")
    add("--min-size", type=values.size, default=0, metavar="SIZE", help="leave smaller files alone")
    add("--one-file-system", action="store_true", help="leave out what is in directories on other file systems")
    add("--prune-empty-dirs", action="store_true", help="no directories in which there are only directories")


def _add_comparison_options(parser: Parser) -> None:
    add = parser.section(KEEPING).add_argument
    add("-c", "--checksum", action="store_true", help="compare the contents of files, not their times")
    add("--size-only", action="store_true", help="files of the same size have the same contents")
    add("--ignore-times", action="store_true", help="send all files (rsync's -I)")
    add(
        "--modify-window",
        type=values.integer,
        default=-1,
        metavar="N",
        help="seconds that times may differ; default: -1, not a ns",
    )
    add("-u", "--update", action="store_true", help="leave files alone that are newer on a target")
    add("--existing", "--ignore-non-existing", action="store_true", help="make nothing that a target does not have")
    add("--ignore-existing", action="store_true", help="leave alone what a target has")
    add("--commit", choices=RULES, default=RULES[0], help="when a file goes into place; default: file")
    add("--delta", action="store_true", help="use blocks of the older copies that targets have of large files")
    add("--partial", action=YES_OR_NO, default=True, help="take up what a run left that broke; default: yes")
    add("-i", "--itemize-changes", action="store_true", help="tell every change, in rsync's letters")


def _add_attribute_options(parser: Parser) -> None:
    add = parser.section(KEEPING).add_argument
    add("-H", "--hard-links", action=YES_OR_NO, default=True, help="keep hard links; default: yes")
    add("--numeric-ids", action="store_true", help="owners by number, not by name")
    add("--chown", metavar="USER:GROUP", help="give all to these")
    add("--chmod", action="append", default=[], metavar="CHANGES", help="change modes, as rsync: Du+w,Fgo-rwx,D2755")
    add("-O", "--omit-dir-times", action="store_true", help="leave the times of directories")
    add("--devices", action="store_true", help="keep character and block devices, where a target is root")
    add("--specials", action="store_true", help="keep fifos and sockets")
    add("-D", action="store_true", help="--devices --specials")
    add("--xattrs", action="store_true", help="keep extended attributes (rsync's -X)")
    add("--acls", action="store_true", help="keep POSIX ACLs (rsync's -A)")
    add("-S", "--sparse", action="store_true", help="make holes where files have zeros")


def _add_deletion_options(parser: Parser) -> None:
    add = parser.section(DELETION).add_argument
    add("--delete", action=YES_OR_NO, default=True, help="delete what SOURCE lacks; default: yes")
    add("--max-delete", type=values.integer, default=-1, metavar="N", help="delete no more entries of a target")
    add("--ignore-errors", action="store_true", help="delete even if some of SOURCE could not be read")


def policy(options: argparse.Namespace) -> Policy:
    """What the targets are told."""
    if options.delete_excluded and not options.delete:
        raise UsageError("--delete-excluded and --no-delete contradict one another")
    if options.prune_empty_dirs and options.files_from is not None:
        raise UsageError("--prune-empty-dirs cannot be given with --files-from")
    return Policy(
        deletes=options.delete,
        rules=read_target_rules(options),
        rules_have_nuls=has_nuls(options),
        deletes_excluded=options.delete_excluded,
        prunes_empty=options.prune_empty_dirs,
        numeric_ids=options.numeric_ids,
        hard_links=options.hard_links,
        checksum=options.checksum,
        size_only=options.size_only,
        ignore_times=options.ignore_times,
        modify_window=_modify_window(options.modify_window),
        update=options.update,
        existing=options.existing,
        ignore_existing=options.ignore_existing,
        max_delete=max(-1, options.max_delete),
        omit_dir_times=options.omit_dir_times,
        sparse=options.sparse,
        commit=options.commit,
        devices=options.devices or options.D,
        specials=options.specials or options.D,
        xattrs=options.xattrs,
        acls=options.acls,
        partial=options.partial,
        delta=options.delta,
        itemizes=options.itemize_changes,
        **backup_fields(options),
    )


def selection(options: argparse.Namespace) -> Selection:
    """What is taken of the source. UsageError."""
    user, group = parse_owners(options.chown) if options.chown else (None, None)
    umask = os.umask(0o077)
    os.umask(umask)
    return Selection(
        mode_changes=tuple([change for text in options.chmod for change in parse_mode_changes(text, umask)]),
        ignores_errors=options.ignore_errors,
        user=user,
        group=group,
        rules=read_rules(options),
        has_nuls=has_nuls(options),
        size_min=options.min_size,
        size_max=options.max_size,
        is_one_file_system=options.one_file_system,
        files=read_files(options),
        is_recursive=options.recursive,
    )


def _modify_window(seconds: int) -> int:
    if not -1 <= seconds < 1 << 31:
        raise UsageError(f"--modify-window {seconds}: give a number of seconds, or -1")
    return seconds
