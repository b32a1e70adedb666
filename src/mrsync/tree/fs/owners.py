"""Map users and groups by name from the source to this host, and decide which owners and modes entries get here."""

from __future__ import annotations

import grp
import os
import pwd
import re
import stat
from array import array
from collections.abc import Callable, Mapping

from mrsync.errors import UsageError
from mrsync.tree.model.limits import KIND_SHIFT
from mrsync.tree.model.manifest import LINK, NO_OWNER, REGULAR, Manifest
from mrsync.tree.model.policy import Policy
from mrsync.tuples import NamedTuple

_DIGITS = "0123456789"
_RIGHTS = 0o777
_EVERY_X = 0o111
_BITS = 0o7777
_KEPT_OF_FILES = 0o1777
_DIGITS_MAX = 100  # of an id, most of them zeros; int() refuses more than 4300 with an error of its own


class OwnerRule(NamedTuple):
    """A rule FROM:TO of --usermap or --groupmap, for ids from low to high or, if name is set, for a name or pattern.

    An empty name stands for ids without a name. to: a name on the target, or a number.
    """

    to: str
    low: int = 0
    high: int = -1
    name: bytes | None = None

    def matches(self, number: int, name: bytes) -> bool:
        """Return whether the rule is for an id with this name, empty if it has none."""
        if self.name is None:
            return self.low <= number <= self.high
        from mrsync.tree.filter.globs import group_numbers, is_wild, translate  # most runs have no maps

        if not is_wild(self.name):
            return self.name == name
        expression = translate(self.name, rb"\Z", group_numbers())
        return expression is not None and re.fullmatch(expression, name, re.DOTALL) is not None


def parse_owner_map(text: str, option: str) -> tuple[OwnerRule, ...]:
    """Parse FROM:TO,... as rsync does. option: for messages. Raise UsageError."""
    return tuple([_parse_rule(rule, f"{option} {text}") for rule in text.split(",")])


def maps_of_chown(text: str) -> tuple[str, str]:
    """Return what USER:GROUP of --chown means as --usermap and --groupmap, each possibly empty. Raise UsageError."""
    user, _, group = text.partition(":")
    maps = f"*:{user}" if user else "", f"*:{group}" if group else ""
    for each in filter(None, maps):
        if "," in each:
            raise UsageError(f"--chown {text}: give USER, USER:GROUP or :GROUP")
        _parse_rule(each, f"--chown {text}")
    return maps


def unknown_owners(policy: Policy) -> list[str]:
    """Return a sentence for each name of --usermap and --groupmap that this host does not know."""
    maps = (("user", policy.user_map, _local_uid), ("group", policy.group_map, _local_gid))
    return [
        f"there is no {kind} {rule.to} here, so nothing is mapped to it"
        for kind, text, find in maps
        for rule in (parse_owner_map(text, "") if text else ())
        if _target_id(rule.to, find) < 0
    ]


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
    """Replace the source's ids by this host's: of the same names, or as the policy maps them.

    Unknown names and root keep their numbers. Names in ACLs are not mapped by the policy.
    """
    policy = manifest.policy
    users: dict[int, int] = {}
    groups: dict[int, int] = {}
    if not policy.numeric_ids:
        users = {uid: _id_of(name, uid, _local_uid) for uid, name in manifest.users.items() if uid and name}
        groups = {gid: _id_of(name, gid, _local_gid) for gid, name in manifest.groups.items() if gid and name}
        manifest.attributes.translate(users, groups)
    if policy.user_map:
        users = users | _mapped(manifest, set(manifest.uids), policy.user_map, manifest.users, _local_uid)
    if policy.group_map:
        groups = groups | _mapped(manifest, set(manifest.gids), policy.group_map, manifest.groups, _local_gid)
    manifest.uids = _translated(manifest.uids, users)
    manifest.gids = _translated(manifest.gids, groups)
    manifest.users = {}
    manifest.groups = {}


def localize_modes(manifest: Manifest, umask: int) -> None:
    """Replace modes of the source that new entries must not get here. Call this after `localize_owners`.

    A file gets no set-ID bit where it gets neither the user nor the group that the source lends by it.
    """
    policy = manifest.policy
    if not policy.modes:
        table = {mode: mode & ~_BITS | mode & _RIGHTS & ~umask for mode in set(manifest.modes)}
        manifest.modes = array("H", [table[mode] for mode in manifest.modes])
    elif not (policy.owners and policy.groups):
        for entry, mode in enumerate(manifest.modes):
            if mode & (stat.S_ISUID | stat.S_ISGID) and mode >> KIND_SHIFT == REGULAR:
                manifest.modes[entry] = mode & ~_stranger_bits(manifest, entry)


def keep_mode(manifest: Manifest, entry: int, mode: int) -> None:
    """Let an entry that is here keep its mode (--no-perms). mode: the one that it has here; the type is the same."""
    kind, wanted = manifest.kind(entry), manifest.modes[entry]
    if kind == LINK:
        return
    kept = mode & (_KEPT_OF_FILES if kind == REGULAR else _BITS)
    if kind == REGULAR and manifest.policy.executability:
        if not wanted & _EVERY_X:
            kept &= ~_EVERY_X
        elif not mode & _EVERY_X:
            kept |= (kept & 0o444) >> 2  # whoever may read it may execute it, as rsync does it
    manifest.modes[entry] = wanted & ~_BITS | kept


class Ownership:
    """The owners that this process sets: root may set all, others only their own groups, as with rsync -a.

    A policy may keep it from setting any.
    """

    def __init__(self, policy: Policy = Policy()) -> None:  # noqa: B008
        self.is_root = os.geteuid() == 0
        self._gives_users, self._gives_groups = self.is_root and policy.owners, policy.groups
        self._groups = frozenset(os.getgroups()) | {os.getegid()}

    def settable(self, uid: int, gid: int) -> tuple[int, int]:
        """Return the arguments for chown, -1 for what this process may not or shall not set."""
        is_given = self._gives_groups and (self.is_root or gid in self._groups)
        return uid if self._gives_users else -1, gid if is_given else -1

    def differs(self, wanted: tuple[int, int], found: tuple[int, int]) -> bool:
        """Return whether `found` (uid, gid) differs from `wanted` in a way that this process can change."""
        uid, gid = self.settable(*wanted)
        return uid not in (-1, found[0]) or gid not in (-1, found[1])


def _local_uid(name: str) -> int:
    return pwd.getpwnam(name).pw_uid


def _local_gid(name: str) -> int:
    return grp.getgrnam(name).gr_gid


def _id_of(name: bytes, number: int, find: Callable[[str], int]) -> int:
    """Return the id of a name on this host, or the given number."""
    try:
        return find(os.fsdecode(name))
    except KeyError:
        return number


def _target_id(text: str, find: Callable[[str], int]) -> int:
    """Return the id that TO of a rule means here, -1 if this host does not know the name."""
    return int(text) if not text.strip(_DIGITS) else _id_of(os.fsencode(text), -1, find)


def _mapped(
    manifest: Manifest, ids: set[int], text: str, names: Mapping[int, bytes], find: Callable[[str], int]
) -> dict[int, int]:
    """Return what --usermap or --groupmap makes of ids, for those that match a rule.

    As with rsync, root's name is that of this host.
    """
    rules = [(rule, _target_id(rule.to, find)) for rule in parse_owner_map(text, "")]
    own_root = _name_of_root(find)
    mapped = {}
    for number in ids:
        name = b"" if manifest.policy.numeric_ids else names.get(number, b"") if number else own_root
        goal = next((to for rule, to in rules if to >= 0 and rule.matches(number, name)), -1)
        if goal >= 0:
            mapped[number] = goal
    return mapped


def _name_of_root(find: Callable[[str], int]) -> bytes:
    try:
        return os.fsencode(pwd.getpwuid(0).pw_name if find is _local_uid else grp.getgrgid(0).gr_name)
    except KeyError:
        return b""


def _translated(ids: array[int], table: dict[int, int]) -> array[int]:
    moved = {old: new for old, new in table.items() if old != new and new != NO_OWNER}
    if not moved:
        return ids
    return array("I", [moved.get(number, number) for number in ids])


def _parse_rule(text: str, shown: str) -> OwnerRule:
    source, colon, to = text.partition(":")
    if not colon or not to:
        raise UsageError(f"{shown}: give FROM:TO, several with commas between them")
    if not to.strip(_DIGITS):
        _parse_id(to, shown)
    if source[:1] not in tuple(_DIGITS):
        return OwnerRule(to, name=os.fsencode(source))
    low, dash, high = source.partition("-")
    first = _parse_id(low, shown)
    last = NO_OWNER - 1 if high == str(NO_OWNER) else _parse_id(high, shown) if dash else first
    return OwnerRule(to, first, last)


def _parse_id(text: str, shown: str) -> int:
    if not text or set(text) - set(_DIGITS) or len(text) > _DIGITS_MAX or int(text) >= NO_OWNER:
        raise UsageError(f"{shown}: {text!r} is not an id of a user or group")
    return int(text)


def _stranger_bits(manifest: Manifest, entry: int) -> int:
    policy = manifest.policy
    is_other_user = not policy.owners and manifest.uids[entry] != os.geteuid()
    is_other_group = not policy.groups and manifest.gids[entry] != os.getegid()
    return stat.S_ISUID * is_other_user | stat.S_ISGID * is_other_group
