"""Options for backups of old versions."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Mapping
from typing import Any

from mrsync.errors import FileError, UsageError
from mrsync.files import absolute, open_named, read_bounded
from mrsync.tree.model.policy import Policy

DEFAULT_SUFFIX = "_mcast_bak%m%d%H%M"  # as in mrsync 4.0.1


def backup_fields(options: argparse.Namespace) -> dict[str, Any]:
    """Return the fields of the policy for backups. Raise UsageError or FileError."""
    is_backup = bool(options.backup or options.backup_dir or options.backup_patterns)
    if not is_backup:
        has_suffix = options.suffix is not None
        if (has_suffix and not options.is_rsync_form) or options.backup_base is not None:
            raise UsageError("--suffix and --backup-base are for backups: give --backup as well")
        if has_suffix:
            check_suffix(options.suffix)  # which has no effect, as in rsync
        return {}
    suffix, directory = options.suffix, options.backup_dir or ""
    if suffix is None:
        suffix = "" if directory else "~" if options.is_rsync_form else time.strftime(DEFAULT_SUFFIX)
    check_suffix(suffix, is_needed=not directory)
    if directory and os.path.normpath(directory) == ".":
        raise UsageError(f"--backup-dir {directory} is DEST itself; for backups beside the files leave it out")
    return {
        "backup": True,
        "suffix": suffix,
        "backup_dir": directory,
        "backup_patterns": _read_patterns(options.backup_patterns) if options.backup_patterns else (),
        "backup_base": _base(options.backup_base, options.source) if options.backup_base else "",
    }


def check_suffix(suffix: str, *, is_needed: bool = True) -> None:
    """Raise UsageError if the suffix is not possible in a file name. is_needed: it must not be empty either."""
    if "/" in suffix or (is_needed and not suffix):
        raise UsageError(f"--suffix {suffix!r}: give one without a slash, or --backup-dir")


def _read_patterns(path: str) -> tuple[str, ...]:
    from mrsync.tree.filter.ere import Patterns  # rarely needed

    try:
        with open_named(path) as file:
            lines = read_bounded(file).split(b"\n")
    except OSError as error:
        raise FileError(f"cannot read the backup patterns {path}: {error.strerror}") from error
    for number, line in enumerate(lines, 1):
        try:
            Patterns([line])
        except ValueError as error:
            raise UsageError(f"{path}, line {number}: {error}") from error
    found = [line for line in lines if line]
    if not found:
        raise UsageError(f"{path} contains no pattern")
    try:
        Patterns(found)
    except ValueError as error:
        raise UsageError(f"{path}: {error}") from error
    return tuple(map(os.fsdecode, found))


def _base(basedir: str, source: str) -> str:
    """Return the path of SOURCE relative to BASEDIR, which patterns are matched against.

    Raise UsageError if it is not below.
    """
    base, whole = (os.path.join(absolute(os.fsencode(path)), b"") for path in (basedir, source))
    if not whole.startswith(base):
        raise UsageError(f"--backup-base {basedir}: SOURCE is not below it")
    return os.fsdecode(whole[len(base) :])


def check_local_backups(policy: Policy, dests: Mapping[str, bytes]) -> None:
    """Raise UsageError if backups of several targets on this host would mix. dests: destination directory by host."""
    if policy.backup_dir:
        places = {
            os.path.realpath(os.path.join(dest, os.fsencode(policy.backup_dir.replace("{host}", host))))
            for host, dest in dests.items()
        }
        if len(places) < len(dests):
            raise UsageError("several targets on this host need {host} in --backup-dir, or their backups would mix")
