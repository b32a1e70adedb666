"""The policy: all settings that every target must know, apart from the entries themselves."""

from __future__ import annotations

import json
import os
import stat
from typing import Any

from mrsync.errors import ProtocolDataError, ProtocolVersionError
from mrsync.tree.model.limits import KIND_SHIFT
from mrsync.tree.model.marks import fault_of_deletions
from mrsync.tuples import NamedTuple

POLICY_BYTES_MAX = 4 << 20
INTEGER_MAX = 1 << 62
LINK, COPY, COMPARE = "link", "copy", "compare"  # what is done with files that another directory has


class AlternateOption(NamedTuple):
    """What --link-dest, --copy-dest or --compare-dest says: the use that is made of these directories."""

    use: str = ""
    paths: tuple[str, ...] = ()


class Policy(NamedTuple):
    """How targets compare, keep and commit. It is part of the manifest's header, so it is the same for all targets.

    The type of each field (bool, int, str, or tuple of str) is that of its default.
    """

    # what is compared and sent
    deletes: bool = True  # delete what the source lacks
    forces: bool = False  # remove whole directories that are in the place of something else
    numeric_ids: bool = False  # take owners by number and ignore their names
    user_map: str = ""  # what --usermap says
    group_map: str = ""
    hard_links: bool = True  # link names of one file
    checksum: bool = False  # compare contents by digest
    size_only: bool = False  # compare contents by size only
    ignore_times: bool = False  # send all files
    modify_window: int = -1  # times may differ by this many seconds; negative: they must be equal to the nanosecond
    update: bool = False  # leave alone files that are newer on the target
    existing: bool = False  # do not make what is absent
    ignore_existing: bool = False  # leave alone what exists
    max_delete: int = -1  # number of deletions at most; negative: no limit
    omit_dir_times: bool = False  # do not set times of directories
    spares_mounts: bool = False  # leave alone what is mounted below the destination, without an error
    owners: bool = True  # give entries the users of the source
    groups: bool = True
    modes: bool = True
    executability: bool = False  # without modes: make files executable or not, as in the source
    omit_link_times: bool = False  # do not set times of soft links
    # how files are written and committed
    drops_cache: bool = False  # keep what is read and written out of the page cache
    preallocates: bool = False  # reserve the space of files
    inplace: bool = False  # write new versions into old ones
    temp_dir: str = ""  # the directory in which files are staged; empty: beside their final names
    sparse: bool = False  # write runs of zeros as holes
    commit: str = "file"  # the commit rule: "file", "each", "end" or "job"
    durable: bool = False  # flush file systems before reporting success
    partial: bool = True  # keep staged files if the session breaks
    delta: bool = False  # copy blocks that old versions share with new ones
    # what is preserved besides files, directories and soft links
    devices: bool = False
    specials: bool = False  # fifos and sockets
    xattrs: bool = False  # without ACLs
    acls: bool = False
    leaves_root: bool = False  # do not change the root's own attributes
    prunes_empty: bool = False  # omit directories that contain nothing but directories
    # backups
    backup: bool = False  # keep what is overwritten or deleted
    suffix: str = ""  # appended to the names of backups
    backup_dir: str = ""  # the directory for backups; empty: beside the file
    backup_patterns: tuple[str, ...] = ()  # back up only paths that one of these matches; empty: all
    backup_base: str = ""  # put before a path when it is matched
    remove_first: bool = False  # delete the old file before the new one is written
    # filter rules
    rules: tuple[str, ...] = ()  # rules that protect entries from deletion, in rsync's notation
    rules_have_nuls: bool = False  # merge files separate their entries by NUL
    deletes_excluded: bool = False  # rules without a side in merge files do not apply to targets
    rereads_rules: bool = False  # merge files that came also protect from deletion
    # lists and single files
    is_listed: bool = False  # examine only entries with a mark, and delete only listed paths
    itemizes: bool = False  # report every change
    is_one_file: bool = False  # the only entry takes the destination's name if that is not a directory
    makes_parents: bool = False  # create missing directories above the destination
    keeps_dir_links: bool = False  # a soft link to a directory below the destination is as good as a directory
    missing: tuple[str, ...] = ()  # paths that the source was to have and that are deleted
    guards_deletions: bool = False  # refuse to delete most of what the target has
    # other directories on the target from which it takes what it lacks; only one of the three is given
    link_dests: tuple[str, ...] = ()
    copy_dests: tuple[str, ...] = ()
    compare_dests: tuple[str, ...] = ()

    @property
    def alternates(self) -> AlternateOption:
        """The other directories that are used, and how they are used."""
        given = ((LINK, self.link_dests), (COPY, self.copy_dests), (COMPARE, self.compare_dests))
        return next((AlternateOption(*each) for each in given if each[1]), AlternateOption())

    @property
    def clears_directories(self) -> bool:
        """Whether a directory in the place of something else is removed even if it is not empty."""
        return self.deletes or self.forces

    @property
    def may_lack_files(self) -> bool:
        """Whether files of the source may be absent, or differ, after a sync that went well."""
        leaves_alone = self.existing or self.ignore_existing or self.update or self.is_listed
        return leaves_alone or bool(self.compare_dests)

    @property
    def keeps_attributes(self) -> bool:
        """Whether extended attributes of any kind are kept."""
        return self.xattrs or self.acls

    @property
    def is_plain_comparison(self) -> bool:
        """Whether contents are compared by exact size and time, and no details about differing files are needed.

        `EntryComparer._compare_file` takes its shortcut then. A new option that changes the comparison of a file also
        belongs into the two other shortcuts there, if it concerns them: `suspects` compares whole columns, and
        `need_all` schedules whole directories that do not exist here.
        """
        is_other = self.checksum or self.size_only or self.ignore_times or self.update or self.itemizes
        return self.modify_window < 0 and not is_other

    def keeps_kind(self, kind: int) -> bool:
        """Return whether entries of this kind (mode >> KIND_SHIFT) are made and updated."""
        if kind in (stat.S_IFCHR >> KIND_SHIFT, stat.S_IFBLK >> KIND_SHIFT):
            return self.devices
        if kind in (stat.S_IFIFO >> KIND_SHIFT, stat.S_IFSOCK >> KIND_SHIFT):
            return self.specials
        return kind in (stat.S_IFREG >> KIND_SHIFT, stat.S_IFDIR >> KIND_SHIFT, stat.S_IFLNK >> KIND_SHIFT)

    def encode(self) -> bytes:
        """Return the fields that differ from their defaults as JSON. Bytes in text are surrogates (PEP 383)."""
        default = Policy()
        fields = {name: value for name, value in self._asdict().items() if value != getattr(default, name)}
        return json.dumps(fields, separators=(",", ":")).encode("ascii")

    @classmethod
    def decode(cls, data: bytes) -> Policy:
        """Decode `encode`. Raise ProtocolDataError for invalid data, ProtocolVersionError for an unknown field."""
        try:
            fields = json.loads(data) if len(data) <= POLICY_BYTES_MAX else None
        except (ValueError, RecursionError):
            fields = None
        if not isinstance(fields, dict):
            raise ProtocolDataError("the manifest is damaged: its policy is not one")
        policy = cls()._replace(**{name: _checked(name, value) for name, value in fields.items()})
        if fault := fault_of_deletions(list(map(os.fsencode, policy.missing))):
            raise ProtocolDataError(f"the manifest is damaged: {fault}")
        return policy


def _checked(name: str, value: Any) -> Any:
    """Return the value in the type of the field's default. Raise the errors of `Policy.decode`."""
    if name not in Policy._fields:
        raise ProtocolVersionError(f"the master asks for {name[:40]!r}, which this mrsync does not know")
    default = getattr(Policy(), name)
    if isinstance(default, tuple) and isinstance(value, list) and all(map(_is_text, value)):
        return tuple(value)
    is_impossible = (type(value) is int and abs(value) > INTEGER_MAX) or (type(value) is str and not _is_text(value))
    if type(value) is not type(default) or is_impossible:
        raise ProtocolDataError(f"the manifest is damaged: its policy has an impossible {name}")
    return value


def _is_text(value: object) -> bool:
    """Return whether a value is a string that a system call takes."""
    try:
        return isinstance(value, str) and b"\0" not in os.fsencode(value)
    except UnicodeEncodeError:
        return False
