"""POSIX ACLs as Linux stores them in extended attributes (include/uapi/linux/posix_acl_xattr.h)."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping

ACCESS = b"system.posix_acl_access"
DEFAULT = b"system.posix_acl_default"
NAMES = (ACCESS, DEFAULT)

USER_OBJ, USER, GROUP_OBJ, GROUP, MASK, OTHER = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
NO_ID = 0xFFFFFFFF
_VERSION = struct.pack("<I", 2)
_ENTRY = struct.Struct("<HHI")  # tag, permissions, id
_TAGS = {USER_OBJ, USER, GROUP_OBJ, GROUP, MASK, OTHER}
_FROM_MODE = {USER_OBJ: 6, MASK: 3, OTHER: 0}  # tag -> shift of its bits in the mode

_Entry = tuple[int, int, int]


def parse(value: bytes) -> list[_Entry]:
    """Return (tag, permissions, id) tuples, ordered by tag and id; raise ValueError for what no kernel accepts."""
    if value[:4] != _VERSION or len(value) % _ENTRY.size != 4:
        raise ValueError("not an ACL")
    entries = sorted(_ENTRY.iter_unpack(value[4:]))
    tags = [tag for tag, _, _ in entries]
    named = {tag for tag in tags if tag in (USER, GROUP)}
    singles = [tag for tag in tags if tag not in (USER, GROUP)]
    if not set(tags) <= _TAGS or any(bits > 7 for _, bits, _ in entries):
        raise ValueError("an ACL with an unknown entry")
    if singles not in ([USER_OBJ, GROUP_OBJ, OTHER], [USER_OBJ, GROUP_OBJ, MASK, OTHER]) or (
        named and MASK not in tags
    ):
        raise ValueError("an ACL that lacks an entry")
    if any((number == NO_ID) == (tag in (USER, GROUP)) for tag, _, number in entries):
        raise ValueError("an ACL entry whose user or group is missing or superfluous")
    return entries


def pack(entries: Iterable[_Entry]) -> bytes:
    return _VERSION + b"".join([_ENTRY.pack(*entry) for entry in sorted(entries)])


def without_mode(value: bytes) -> bytes:
    """Return an access ACL without the permissions that are in the mode, or b"" if it has no others.

    Files of different modes then share one ACL, and --chmod need not change any. ValueError as of `parse`.
    """
    entries = [(tag, 0 if tag in _FROM_MODE else bits, number) for tag, bits, number in parse(value)]
    return pack(entries) if any(tag == MASK for tag, _, _ in entries) else b""


def with_mode(value: bytes, mode: int) -> bytes:
    """Reverse `without_mode` for a file of this mode."""
    return pack(
        [
            (tag, mode >> _FROM_MODE[tag] & 7 if tag in _FROM_MODE else bits, number)
            for tag, bits, number in parse(value)
        ]
    )


def ids(value: bytes) -> Iterator[tuple[bool, int]]:
    """Return (is a user, id) of all users and groups that an ACL names."""
    for tag, _, number in parse(value):
        if tag in (USER, GROUP):
            yield tag == USER, number


def translated(value: bytes, users: Mapping[int, int], groups: Mapping[int, int]) -> bytes:
    """Return an encoded ACL with other ids.

    users, groups: old id -> new id; others stay. Raise ValueError if invalid.
    """
    tables = {USER: users, GROUP: groups}
    return pack(
        [
            (tag, bits, tables[tag].get(number, number) if tag in tables else number)
            for tag, bits, number in parse(value)
        ]
    )
