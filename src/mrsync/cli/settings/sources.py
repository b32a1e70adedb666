"""Interpret SOURCEs like rsync: the contents of a directory, or names in their directories."""

from __future__ import annotations

import argparse
import os
from typing import Any

from mrsync.cli.settings.places import absolute_source, source_of
from mrsync.errors import SelectionError, UsageError
from mrsync.tree.source.selection import Operand

OPERANDS_MAX = 64  # different directories; each needs descriptors of its own
_MARK = "/./"  # with --relative, the transferred path begins after this


def chosen_source(options: argparse.Namespace) -> tuple[bytes, dict[str, Any]]:
    """Return the path of the (first) SOURCE, and fields of the selection. Raise UsageError or SelectionError."""
    is_listed = any(getattr(options, name) is not None for name in ("files_from", "list", "synclist", "rsync_options"))
    if is_listed and len(options.sources) > 1:
        raise UsageError("a list names paths below one SOURCE; give only one")
    if options.files_from is not None:
        if getattr(options, "flattens_list", False) and not options.relative:
            raise UsageError("--no-relative is not supported with --files-from: the paths of the list are kept")
        options.relative = False  # a list has relative paths in any case
    if options.relative and (is_listed or not options.is_rsync_form):
        raise UsageError("--relative is for mrsync SOURCE... TARGETS:DEST, without lists")
    if not options.is_rsync_form or is_listed:
        return source_of(options.source), {}
    if not (any(map(_is_there, options.sources)) or options.ignore_missing_args or options.delete_missing_args):
        is_file = os.path.lexists(options.source.rstrip("/."))
        raise SelectionError(f"the source {options.source} {'is not a directory' if is_file else 'does not exist'}")
    if options.relative and len({_split_relative(text)[0] for text in options.sources}) == 1:
        return _relative_source(options.sources)
    as_operand = _relative_operand if options.relative else _operand
    operands = _joined([as_operand(text) for text in options.sources])
    if len(operands) > OPERANDS_MAX:
        raise UsageError(
            f"SOURCEs are in {len(operands)} directories, and a run can have {OPERANDS_MAX}: name what is below one "
            "directory by --relative (TOP/./PATH...) or --files-from"
        )
    if not any(os.path.isdir(operand.root) for operand in operands):
        raise SelectionError(f"the directory of the source {options.source} does not exist")
    source = absolute_source(options.source)
    if len(operands) == 1 and operands[0].names is None and os.path.isdir(source):
        return source, {}
    return source, {"operands": operands}


def all_sources(options: argparse.Namespace) -> list[bytes]:
    """Return the paths of all SOURCEs."""
    return [absolute_source(text) for text in options.sources]


def roots_of(options: argparse.Namespace, fields: dict[str, Any]) -> list[bytes]:
    """Return the directories of which DEST itself gets the mode and owner. fields: of `chosen_source`."""
    if "operands" in fields:
        return [operand.root for operand in fields["operands"] if operand.names is None and os.path.isdir(operand.root)]
    is_named = any(getattr(options, name) is not None for name in ("files_from", "list", "synclist"))
    return [] if is_named or "files" in fields else [absolute_source(options.source)]


def is_one_file(options: argparse.Namespace) -> bool:
    """Return whether the only SOURCE is a file, so that DEST may be its new name."""
    if not options.is_rsync_form or len(options.sources) != 1 or options.dest.endswith("/"):
        return False
    if options.relative and "/" in _split_relative(options.source)[1]:
        return False  # the directories above it come, too
    return os.path.lexists(options.source) and _operand(options.source).names is not None and not _is_directory(options)


def _is_directory(options: argparse.Namespace) -> bool:
    is_followed = options.copy_links or options.copy_dirlinks
    return os.path.isdir(options.source) and (is_followed or not os.path.islink(options.source))


def _is_there(text: str) -> bool:
    return os.path.lexists(text)


def _operand(text: str) -> Operand:
    """Return an operand as rsync means it: a path that ends with /, . or .. means the contents of the directory."""
    path = os.path.join(absolute_source("."), os.fsencode(text))
    directory, name = os.path.split(path)
    return Operand(path) if name in (b"", b".", b"..") else Operand(directory, (name,))


def _relative_operand(text: str) -> Operand:
    """Return an operand of --relative, where paths begin in several directories. Raise UsageError."""
    root, path = _split_relative(text)
    path = os.path.normpath(path)
    if "/" in path:
        raise UsageError(
            f"SOURCEs of --relative that begin in several directories have one name behind /./, and {text} has more: "
            "run mrsync once for each directory"
        )
    directory = absolute_source(root or ".")
    return Operand(directory) if path == "." else Operand(directory, (os.fsencode(path),))


def _joined(operands: list[Operand]) -> tuple[Operand, ...]:
    """Join neighbouring operands that are in the same directory."""
    joined: list[Operand] = []
    for operand in operands:
        last = joined[-1] if joined else None
        if last is None or last.root != operand.root or last.names is None or operand.names is None:
            joined.append(operand)
        elif operand.names[0] not in last.names:
            joined[-1] = Operand(operand.root, last.names + operand.names)
    return tuple(joined)


def _relative_source(sources: list[str]) -> tuple[bytes, dict[str, Any]]:
    """Return the common directory of paths for --relative, and the selection of these paths."""
    parts = [_split_relative(text) for text in sources]
    root = absolute_source(parts[0][0] or ".")
    return root, {"files": tuple([os.fsencode(path) for _, path in parts]), "is_recursive": True}


def _split_relative(text: str) -> tuple[str, str]:
    """Split a path into the directory where it begins, and the part that is transferred. Raise UsageError."""
    root, mark, path = text.partition(_MARK)
    if not mark:
        root, path = "", text.lstrip("/")
    if ".." in path.split("/"):
        raise UsageError(f"SOURCE {text}: the path that --relative keeps has a .., name the directory itself")
    return root or ("/" if text.startswith("/") else ""), path
