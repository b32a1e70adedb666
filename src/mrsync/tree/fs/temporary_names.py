"""Names of a session's temporary files in a destination: staged files, unfinished links, the journal and others."""

from __future__ import annotations

import re

from mrsync.tuples import NamedTuple

_NAME = re.compile(rb"\.mrsync-([0-9a-f]+)(?:-([lfbd]?)([0-9]+)|\.journal)")
_AREA = re.compile(rb"\.mrsync-[0-9a-f]+\.staging")
PREFIX = b".mrsync-"
NO_FILE = -1


class Temporary(NamedTuple):
    """The parts of such a name. tag: the session's, hexadecimal. file: the plan file, or NO_FILE for other kinds."""

    tag: bytes
    file: int


def staged_prefix(tag: bytes) -> bytes:
    """Return what precedes the number of the plan file in the names of staged files."""
    return b".mrsync-%s-" % tag


def link_name(tag: bytes, entry: int) -> bytes:
    """Return the name of a link or special file that will be renamed into place."""
    return b".mrsync-%s-l%d" % (tag, entry)


def backup_name(tag: bytes, number: int) -> bytes:
    """Return the name of a backup that will replace an older one, or of a probe file."""
    return b".mrsync-%s-b%d" % (tag, number)


def scratch_name(tag: bytes) -> bytes:
    """Return the name of a directory in which names are tried out."""
    return b".mrsync-%s-d0" % tag


def journal_name(tag: bytes) -> bytes:
    """Return the name of a session's journal in the root of the destination."""
    return b".mrsync-%s.journal" % tag


def area_name(key: bytes) -> bytes:
    """Return the name of a destination's directory in that of --temp-dir."""
    return b".mrsync-%s.staging" % key


def is_temporary(name: bytes, *, is_directory: bool) -> bool:
    """Return whether this is the name of a session's file, or of a directory that --temp-dir asked for."""
    return bool((_AREA if is_directory else _NAME).fullmatch(name))


def parsed(name: bytes) -> Temporary | None:
    """Return the parts of a temporary name, or None for any other name."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    tag, kind, number = found.groups()
    is_staged = number is not None and not kind and len(number) < 12
    return Temporary(tag, int(number) if is_staged else NO_FILE)
