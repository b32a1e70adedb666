"""Filter options, whose order matters, and their rules."""

from __future__ import annotations

import argparse
import os
import sys
from itertools import islice
from typing import TYPE_CHECKING

from mrsync.errors import FileError, UsageError
from mrsync.files import ENTRIES_BYTES_MAX, LIST_BYTES_MAX, open_named, read_bounded
from mrsync.tree.model.limits import ENTRIES_MAX

if TYPE_CHECKING:
    from mrsync.tree.filter.rules import Rule

_PER_DIRECTORY = (": /.rsync-filter", "- .rsync-filter")  # meaning of the first and the second -F


def read_rules(options: argparse.Namespace) -> tuple[Rule, ...]:
    """Return the rules of both sides. Files are read only once. Raise RuleError or FileError."""
    if options.rules is None:
        options.rules = _read_rules(options) if options.rule_options or options.cvs_exclude else ()
    rules: tuple[Rule, ...] = options.rules
    return rules


def read_target_rules(options: argparse.Namespace) -> tuple[str, ...]:
    """Return the texts of the rules that targets need. Raise the errors of read_rules."""
    found = read_rules(options)
    if not found:
        return ()
    from mrsync.tree.filter import rules

    deletes_missing = getattr(options, "delete_missing_args", False)  # of rsync's form
    if not (options.delete or options.force or options.prune_empty_dirs or deletes_missing):
        found = tuple(rule for rule in found if rule.flags & rules.ATTRIBUTES)
    needed = tuple(
        os.fsdecode(rule.text) for rule in found if rule.flags & rules.MERGE or rule.flags & rules.SIDES != rules.SENDER
    )
    if sum(len(os.fsencode(rule)) for rule in needed) > rules.RULES_BYTES_MAX:
        limit = rules.RULES_BYTES_MAX >> 20
        raise UsageError(f"the filter rules that targets need for --delete have more than {limit} MiB")
    return needed


def read_files(options: argparse.Namespace) -> tuple[bytes, ...] | None:
    """Return the paths of --files-from, or None if it is not given. Raise FileError, or UsageError for too many."""
    if options.files_from is None:
        return None
    from mrsync.tree.filter.merge_files import split_entries
    from mrsync.tree.model.failure import printable

    try:
        data = _read(os.fsencode(options.files_from), ENTRIES_BYTES_MAX)
    except OSError as error:
        raise FileError(f"cannot read --files-from {options.files_from}: {error.strerror}") from error
    entries = tuple(entry for _, entry in islice(split_entries(data, has_nuls=has_nuls(options)), ENTRIES_MAX + 1))
    if len(entries) > ENTRIES_MAX:
        raise UsageError(f"--files-from {options.files_from} has more than {ENTRIES_MAX} entries")
    for entry in entries:
        before, mark, _ = entry.partition(b"/./")
        if mark and any(name.strip(b".") or len(name) > 2 for name in before.split(b"/")):
            raise UsageError(f"--files-from: what is before /./ in {printable(entry)} belongs in SOURCE")
    return entries


def has_nuls(options: argparse.Namespace) -> bool:
    """Return whether the entries of per-directory merge files end in NUL."""
    return any(option == "--from0" for option, _ in options.rule_options)


def _read_rules(options: argparse.Namespace) -> tuple[Rule, ...]:
    from mrsync.tree.filter import rules
    from mrsync.tree.filter.merge_files import RuleList

    found = RuleList(_read, deletes_excluded=options.delete_excluded)
    shorthands = iter(_PER_DIRECTORY)
    for option, value in options.rule_options:
        template = rules.INCLUDE if option.startswith("--include") else 0
        if option == "--from0":
            found.has_nuls = True
        elif option == "-F":
            if rule := next(shorthands, ""):
                found.add(rule.encode(), option)
        elif option.endswith("-from"):
            found.add_file(os.fsencode(value), template, is_old=True)
        else:
            found.add(os.fsencode(value), option, template, is_old=option != "--filter")
    if options.cvs_exclude:
        found.add(b":C", "-C")
        found.add(b"-C", "-C")
    return tuple(found.rules)


def _read(path: bytes, limit: int = LIST_BYTES_MAX) -> bytes:
    if path == b"-":
        return read_bounded(sys.stdin.buffer, limit)
    with open_named(path) as file:
        return read_bounded(file, limit)
