"""The policy: what every target must know, besides the entries, about how to compare, keep and commit them."""

from __future__ import annotations

import json
import stat
from typing import Any, NamedTuple

from mrsync.errors import ProtocolDataError, ProtocolVersionError

POLICY_BYTES_MAX = 4 << 20
INTEGER_MAX = 1 << 62


class Policy(NamedTuple):
    """Rides in the manifest's header, so that the targets of a run cannot differ in it.

    Every field has a default of its type: bool, int, str, or tuple of str. deletes: what the source lacks goes.
    numeric_ids: owners by number, whatever their names. hard_links: names of one file are kept as such. Contents are
    compared by checksum, by size_only, or by size and time; the time to modify_window seconds, to the ns below 0;
    ignore_times: all are sent. Left as they are: update: newer files; existing: what is absent; ignore_existing: what
    is there; max_delete: extras, when so many were deleted (negative: no limit). omit_dir_times: directories keep the
    time that they get. sparse: zeros become holes. commit: the rule by which files go into place, "file", "each" or
    "job". durable: what is said to be done outlives a power cut. partial: what arrived is kept when the session breaks.
    delta: blocks of older copies are used. Kept besides: devices; specials, which are fifos and sockets; xattrs but
    ACLs; acls. itemizes: all changes are told.
    leaves_root: the root keeps its own attributes. prunes_empty: directories with nothing but directories are unwanted.
    rules: filter rules that tell what is safe from deletion, in rsync's notation. rules_have_nuls: entries of their
    merge files end in NUL. deletes_excluded: rules of these files that name no side are not for targets.
    backup: what is overwritten or deleted keeps another name, that with suffix added, in backup_dir if there is one; of
    paths, behind backup_base, that a backup pattern matches if there are some. remove_first: the old file goes first.
    is_listed: only what the manifest marks is looked at, only what it lists is deleted. is_one_file: the only entry
    gets the name of the destination where that is no directory. makes_parents: directories above that are made.
    guards_deletions: a target refuses to delete most of what it has.
    """

    deletes: bool = True
    numeric_ids: bool = False
    hard_links: bool = True
    checksum: bool = False
    size_only: bool = False
    ignore_times: bool = False
    modify_window: int = -1
    update: bool = False
    existing: bool = False
    ignore_existing: bool = False
    max_delete: int = -1
    omit_dir_times: bool = False
    sparse: bool = False
    commit: str = "file"
    durable: bool = False
    partial: bool = True
    delta: bool = False
    devices: bool = False
    specials: bool = False
    xattrs: bool = False
    acls: bool = False
    leaves_root: bool = False
    prunes_empty: bool = False
    backup: bool = False
    suffix: str = ""
    backup_dir: str = ""
    backup_patterns: tuple[str, ...] = ()
    backup_base: str = ""
    remove_first: bool = False
    rules: tuple[str, ...] = ()
    rules_have_nuls: bool = False
    deletes_excluded: bool = False
    is_listed: bool = False
    itemizes: bool = False
    is_one_file: bool = False
    makes_parents: bool = False
    guards_deletions: bool = False

    @property
    def keeps_attributes(self) -> bool:
        """Whether extended attributes of any kind are kept."""
        return self.xattrs or self.acls

    @property
    def is_plain_comparison(self) -> bool:
        """Whether contents are compared by exact size and time, and nothing more is asked about files that differ."""
        is_other = self.checksum or self.size_only or self.ignore_times or self.update or self.itemizes
        return self.modify_window < 0 and not is_other

    def keeps_kind(self, kind: int) -> bool:
        """Whether entries of these type bits (a mode's, shifted right by 12) are made and mended."""
        if kind in (stat.S_IFCHR >> 12, stat.S_IFBLK >> 12):
            return self.devices
        if kind in (stat.S_IFIFO >> 12, stat.S_IFSOCK >> 12):
            return self.specials
        return kind in (stat.S_IFREG >> 12, stat.S_IFDIR >> 12, stat.S_IFLNK >> 12)

    def encode(self) -> bytes:
        """JSON of the fields that are not as by default; text that was bytes keeps them by surrogates (PEP 383)."""
        default = Policy()
        fields = {name: value for name, value in self._asdict().items() if value != getattr(default, name)}
        return json.dumps(fields, separators=(",", ":")).encode("ascii")

    @classmethod
    def decode(cls, data: bytes) -> Policy:
        """The reverse; ProtocolDataError for what makes no sense, ProtocolVersionError for an unknown field."""
        try:
            fields = json.loads(data) if len(data) <= POLICY_BYTES_MAX else None
        except (ValueError, RecursionError):
            fields = None
        if not isinstance(fields, dict):
            raise ProtocolDataError("the manifest is damaged: its policy is not one")
        return cls()._replace(**{name: _checked(name, value) for name, value in fields.items()})


def _checked(name: str, value: Any) -> Any:
    """The value in the type of the field's default."""
    if name not in Policy._fields:
        raise ProtocolVersionError(f"the master asks for {name[:40]!r}, which this mrsync does not know")
    default = getattr(Policy(), name)
    if isinstance(default, tuple) and isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    if type(value) is not type(default) or (type(value) is int and abs(value) > INTEGER_MAX):
        raise ProtocolDataError(f"the manifest is damaged: its policy has an impossible {name}")
    return value
