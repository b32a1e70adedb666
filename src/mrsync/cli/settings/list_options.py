"""Options for the source of the selection: every target, rsync's dry run, patterns, or a synclist."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator

from mrsync.errors import SelectionError, UsageError
from mrsync.files import open_named, read_bounded
from mrsync.run.observer import Notice
from mrsync.tree.model.policy import Policy
from mrsync.tree.source.selection import Selection

HINT = "; give it to rsync with -o"
EACH, RSYNC, NONE = "each", "rsync", "none"
_PATHS = ("/", "./", "../")  # how the path of a file begins, if it cannot be taken for a pattern
# Options for the comparison, which are useless if a list decides.
COMPARING = ("checksum", "size_only", "ignore_times", "modify_window", "update", "existing", "ignore_existing")


def apply(options: argparse.Namespace, policy: Policy, selection: Selection) -> tuple[Policy, Selection]:
    """Apply the options to policy and selection, and return both. Raise UsageError or SelectionError."""
    patterns, compare, rsync_options = (
        getattr(options, name, None)
        for name in ("list", "compare", "rsync_options")  # missing in multicaster
    )
    if rsync_options is not None:
        if compare not in (None, RSYNC):
            raise UsageError(f"-o implies --compare rsync, not {compare}")
        compare = RSYNC
    ways = {"-l": patterns, "--synclist": options.synclist, "--compare rsync": compare == RSYNC}
    given = [name for name, value in ways.items() if value not in (None, False)]
    if len(given) > 1:
        raise UsageError(f"{given[0]} and {given[1]} cannot be given together")
    if compare == NONE:
        _refuse(policy, COMPARING, "--compare none")
        return policy._replace(ignore_times=True), selection
    if given and (policy.prunes_empty or not selection.takes_everything):
        hint = _where_limits_are(options) or (HINT if compare == RSYNC else "")
        raise UsageError(f"filter rules, sizes and --files-from cannot be given with {given[0]}{hint}")
    if given:
        _refuse(policy, COMPARING, given[0], HINT if compare == RSYNC else "")
    if patterns is not None:
        return policy._replace(deletes=False), selection._replace(patterns=_read_patterns(patterns, options.source))
    if options.synclist is not None:
        return policy, selection._replace(synclist=os.fsencode(options.synclist))
    if compare == RSYNC:
        if selection.mode_changes or policy.user_map or policy.group_map:
            raise UsageError(
                "--chmod and --chown cannot be given with --compare rsync, nor maps of owners: it compares without them"
            )
        from mrsync.remote.rsync import find_rsync, parse_options  # imported here to start faster

        find_rsync()
        words = parse_options(rsync_options or "")
        # Targets must use rsync's rule, so that they agree about files of which only attributes differ.
        policy = policy._replace(size_only="--size-only" in words)
        return policy, selection._replace(rsync_options=words)
    return policy, selection


def remarks(options: argparse.Namespace) -> Iterator[Notice]:
    """Yield remarks for the user about how -l was understood."""
    text = getattr(options, "list", None)
    if text and not text.startswith(_PATHS) and _is_only_here(text, options.source):
        yield Notice(0, f"patterns are read from the file {text}, which SOURCE lacks; write -l ./{text} to say so")


def _where_limits_are(options: argparse.Namespace) -> str:
    """Return a hint if only a settings file limits what is taken from SOURCE, or "" if the command line does."""
    typed = getattr(options, "typed", options)
    limits = ("rule_options", "cvs_exclude", "files_from", "max_size", "min_size", "one_file_system")
    is_typed = any(getattr(typed, name, None) for name in (*limits, "prune_empty_dirs"))
    return "" if is_typed else "; they are in a settings file: mrsync config --show says in which"


def _is_only_here(text: str, source: str) -> bool:
    return os.path.isfile(text) and not os.path.lexists(os.path.join(source, text))


def _refuse(policy: Policy, names: tuple[str, ...], way: str, hint: str = "") -> None:
    default = Policy()
    for name in names:
        if getattr(policy, name) != getattr(default, name):
            raise UsageError(f"--{name.replace('_', '-')} is about comparing; {way} compares nothing here{hint}")


def _read_patterns(text: str, source: str) -> tuple[bytes, ...]:
    """Return the patterns of -l: from a file with one per line, or from the text itself.

    The text names a file if it looks like that, or if a file has this name here but not in SOURCE.
    """
    if not text.startswith(_PATHS) and not _is_only_here(text, source):
        from mrsync.tree.lists.shell_patterns import split_list  # imported here to start faster

        return tuple(split_list(os.fsencode(text)))
    try:
        with open_named(text) as file:
            lines = [line.rstrip(b"\r") for line in read_bounded(file).split(b"\n")]
    except OSError as error:
        raise SelectionError(f"cannot read the patterns in {text} (-l): {error.strerror}") from error
    return tuple(line for line in lines if line and not line.startswith(b"#"))
