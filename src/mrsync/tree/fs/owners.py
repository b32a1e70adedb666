"""Map users and groups by name from the source to this host, and decide which owners this process may set."""

from __future__ import annotations

import grp
import os
import pwd
from array import array
from typing import NamedTuple

from mrsync.errors import UsageError
from mrsync.tree.model.manifest import NO_OWNER, Manifest


class NewOwner(NamedTuple):
    """The user or group that all entries get. name: empty if it was given by number."""

    id: int
    name: bytes = b""


def parse_owners(text: str) -> tuple[NewOwner | None, NewOwner | None]:
    """Parse USER:GROUP of --chown: names on this host or numbers, one of which may be missing. Raise UsageError."""
    user, _, group = text.partition(":")
    if not user and not group:
        raise UsageError(f"--chown {text}: give USER, USER:GROUP or :GROUP")
    return _parse_owner(user, "user"), _parse_owner(group, "group")


def override_owners(manifest: Manifest, user: NewOwner | None, group: NewOwner | None) -> None:
    """Set the user and group of all entries, unless they are None. Call `name_owners` before."""
    if user:
        manifest.uids = array("I", [user.id]) * len(manifest)
        manifest.users[user.id] = user.name
    if group:
        manifest.gids = array("I", [group.id]) * len(manifest)
        manifest.groups[group.id] = group.name


def name_owners(manifest: Manifest) -> None:
    """Fill the manifest's tables of names for all ids in it. An id without a name is sent as a number."""
    users, groups = manifest.attributes.ids()
    for uid in sorted(users.union(manifest.uids)):
        try:
            manifest.users[uid] = os.fsencode(pwd.getpwuid(uid).pw_name)
        except KeyError:
            continue
    for gid in sorted(groups.union(manifest.gids)):
        try:
            manifest.groups[gid] = os.fsencode(grp.getgrgid(gid).gr_name)
        except KeyError:
            continue


def localize_owners(manifest: Manifest) -> None:
    """Replace the source's ids by this host's ids of the same names. Unknown names and root keep their numbers."""
    if not manifest.policy.numeric_ids:
        users = {uid: _local_uid(uid, name) for uid, name in manifest.users.items() if uid and name}
        groups = {gid: _local_gid(gid, name) for gid, name in manifest.groups.items() if gid and name}
        manifest.uids = _translated(manifest.uids, users)
        manifest.gids = _translated(manifest.gids, groups)
        manifest.attributes.translate(users, groups)
    manifest.users = {}
    manifest.groups = {}


class Ownership:
    """The owners that this process may set: root may set all, others only their own groups, as with rsync -a."""

    def __init__(self) -> None:
        self.is_root = os.geteuid() == 0
        self._groups = frozenset(os.getgroups()) | {os.getegid()}

    def settable(self, uid: int, gid: int) -> tuple[int, int]:
        """Return the arguments for chown, -1 for what this process may not set."""
        if self.is_root:
            return uid, gid
        return -1, gid if gid in self._groups else -1

    def differs(self, wanted: tuple[int, int], found: tuple[int, int]) -> bool:
        """Return whether `found` (uid, gid) differs from `wanted` in a way that this process can change."""
        uid, gid = self.settable(*wanted)
        return uid not in (-1, found[0]) or gid not in (-1, found[1])


def _local_uid(uid: int, name: bytes) -> int:
    try:
        return pwd.getpwnam(os.fsdecode(name)).pw_uid
    except KeyError:
        return uid


def _local_gid(gid: int, name: bytes) -> int:
    try:
        return grp.getgrnam(os.fsdecode(name)).gr_gid
    except KeyError:
        return gid


def _translated(ids: array[int], table: dict[int, int]) -> array[int]:
    moved = {old: new for old, new in table.items() if old != new and new != NO_OWNER}
    if not moved:
        return ids
    return array("I", [moved.get(number, number) for number in ids])


def _parse_owner(text: str, kind: str) -> NewOwner | None:
    if not text:
        return None
    if text.isascii() and text.isdecimal() and int(text) < NO_OWNER:
        return NewOwner(int(text))
    try:
        number = pwd.getpwnam(text).pw_uid if kind == "user" else grp.getgrnam(text).gr_gid
    except KeyError:
        raise UsageError(f"--chown: there is no {kind} {text} on this host") from None
    return NewOwner(number, os.fsencode(text))
