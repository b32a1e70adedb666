"""Names of what a session keeps in a destination for a while: staged files, links in the making, its journal."""

from __future__ import annotations

import re
from typing import NamedTuple

_NAME = re.compile(rb"\.mrsync-([0-9a-f]+)(?:-([lfbd]?)([0-9]+)|\.journal)")
PREFIX = b".mrsync-"
NO_FILE = -1


class Temporary(NamedTuple):
    """tag: of the session, hexadecimal. file: of the session's plan, NO_FILE for anything but a staged file."""

    tag: bytes
    file: int


def staged_name(tag: bytes, file: int) -> bytes:
    """Of a planned file that is not in its place yet."""
    return b".mrsync-%s-%d" % (tag, file)


def link_name(tag: bytes, entry: int) -> bytes:
    """Of a link that is about to be renamed."""
    return b".mrsync-%s-l%d" % (tag, entry)


def backup_name(tag: bytes, number: int) -> bytes:
    """Of a backup that is about to replace an older one."""
    return b".mrsync-%s-b%d" % (tag, number)


def scratch_name(tag: bytes) -> bytes:
    """Of a directory in which something is tried out."""
    return b".mrsync-%s-d0" % tag


def journal_name(tag: bytes) -> bytes:
    """Of a session's journal, in the root of the destination."""
    return b".mrsync-%s.journal" % tag


def parsed(name: bytes) -> Temporary | None:
    """What a name says, if it is one of these."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    tag, kind, number = found.groups()
    is_staged = number is not None and not kind and len(number) < 12
    return Temporary(tag, int(number) if is_staged else NO_FILE)
