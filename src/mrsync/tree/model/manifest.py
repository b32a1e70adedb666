"""The manifest: every entry of the source, in columns, so that a million entries need little memory.

`Manifest.decode` is where a target refuses a hostile one: no name is empty, ".", ".." or has a slash, names are sorted
and unique, and parents come before their children. So every path is below the destination, if it is opened without
following links (`mrsync.tree.fs.directories`).
"""

from __future__ import annotations

import hashlib
import os
import stat
from array import array
from bisect import bisect_left
from copy import copy
from itertools import accumulate, chain, compress, islice
from operator import ge, lt

from mrsync.tree.model.attributes import UNKNOWN, AttributeSets
from mrsync.tree.model.columns import NameColumn
from mrsync.tree.model.limits import DEPTH_MAX, ENTRIES_MAX, KIND_SHIFT, LINK_BYTES_MAX, NAME_BYTES_MAX
from mrsync.tree.model.listing import TIME_MAX, TIME_MIN, Listing, kinds_of, positions_of
from mrsync.tree.model.marks import Listed, Mark
from mrsync.tree.model.packing import Packer, Unpacker
from mrsync.tree.model.policy import Policy

MAGIC = b"mrsync manifest\x03"
SECOND_NS = 1_000_000_000
OWNERS_MAX = 1 << 20
DIGEST_BYTES = 16
NO_DIGEST = bytes(DIGEST_BYTES)  # stands for a file that could not be read, and equals no file
MAJOR_MAX, MINOR_MAX = (1 << 12) - 1, (1 << 20) - 1  # of device numbers on Linux
_NAMES_AT_ONCE = 4096
NO_OWNER = 0xFFFFFFFF  # (uid_t)-1 means "leave it" to chown

REGULAR = stat.S_IFREG >> KIND_SHIFT
DIRECTORY = stat.S_IFDIR >> KIND_SHIFT
LINK = stat.S_IFLNK >> KIND_SHIFT
OMITTED = 0  # the source has a file here that is not sent: targets neither make, change nor delete theirs
MADE_MODE = 0o755  # of a new DEST of which SOURCE says nothing
DEVICES = frozenset(kind >> KIND_SHIFT for kind in (stat.S_IFCHR, stat.S_IFBLK))
SPECIALS = DEVICES | {stat.S_IFIFO >> KIND_SHIFT, stat.S_IFSOCK >> KIND_SHIFT}
_KINDS = SPECIALS | {REGULAR, DIRECTORY, LINK, OMITTED}


class Manifest:
    """Entries in breadth-first order. Entry 0 is the root; children of a directory are contiguous and sorted by name.

    Columns with one element per entry: names, parents, modes (with type bits), uids, gids, sizes (bytes, 0 except for
    regular files), mtimes (ns since 1970, clamped to 64 bits; use `mtime_ns`). Only if the policy asks for them:
    digests (DIGEST_BYTES per entry); devices (entry -> device number); attributes, with the number of each entry's set
    in attribute_numbers.

    far_times: exact times of entries whose mtime is clamped.
    link_targets: target of each soft link.
    leaders: hard-link member -> first entry of its group.
    users, groups: names by id.
    directories: all entries that are directories, in order; directories[k] has the children child_starts[k] to
    child_starts[k + 1] - 1.
    incomplete: directories with children that are not listed here; what else a target has in them stays.
    listed: if policy.is_listed, what to do with each entry; else None.
    """

    def __init__(self, policy: Policy = Policy()) -> None:  # noqa: B008
        self.policy = policy
        self.names = NameColumn()
        self.parents = array("I")
        self.modes = array("H")
        self.uids = array("I")
        self.gids = array("I")
        self.sizes = array("q")
        self.mtimes = array("q")
        self.far_times: dict[int, int] = {}
        self.link_targets: dict[int, bytes] = {}
        self.leaders: dict[int, int] = {}
        self.users: dict[int, bytes] = {}
        self.groups: dict[int, bytes] = {}
        self.directories = array("I")
        self.child_starts = array("I", [1])
        self.digests = b""
        self.devices: dict[int, int] = {}
        self.attributes = AttributeSets()
        self.attribute_numbers = array("I")
        self.incomplete: set[int] = set()
        self.listed: Listed | None = None

    def __len__(self) -> int:
        return len(self.names)

    def add_root(self, status: os.stat_result) -> None:
        self.names.extend([b""])
        self.parents.append(0)
        self.modes.append(status.st_mode)
        self.uids.append(status.st_uid)
        self.gids.append(status.st_gid)
        self.sizes.append(0)
        self.mtimes.append(max(TIME_MIN, min(TIME_MAX, status.st_mtime_ns)))
        if self.mtimes[0] != status.st_mtime_ns:
            self.far_times[0] = status.st_mtime_ns
        self.directories.append(0)

    def add(self, parent: int, listing: Listing) -> None:
        """Append the children of the next directory. Call this for all directories in order."""
        base = len(self.names)
        self.names.extend(listing.names)
        self.parents += array("I", (parent,)) * len(listing.names)
        self.modes.extend(listing.modes)
        self.uids.extend(listing.uids)
        self.gids.extend(listing.gids)
        self.sizes.extend(listing.sizes)
        self.mtimes.extend(listing.mtimes)
        for position, time in listing.far_times.items():
            self.far_times[base + position] = time
        for position, target in listing.links.items():
            self.link_targets[base + position] = target
        for position, number in listing.devices.items():
            self.devices[base + position] = number
        self.directories.extend([base + position for position in positions_of(DIRECTORY, listing.modes)])
        self.child_starts.append(len(self.names))

    def add_nothing(self) -> None:
        """Give the next directory no children, because it could not be read."""
        self.child_starts.append(len(self.names))

    def path(self, entry: int) -> bytes:
        """Return the path relative to the root, b"" for the root itself."""
        parts = []
        while entry:
            parts.append(self.names[entry])
            entry = self.parents[entry]
        return b"/".join(reversed(parts))

    def find(self, path: bytes) -> int:
        """Return the entry with this path, or -1."""
        entry = 0
        for name in path.split(b"/") if path else ():
            number = bisect_left(self.directories, entry)
            if number == len(self.directories) or self.directories[number] != entry:
                return -1
            end = self.child_starts[number + 1]
            entry = bisect_left(self.names, name, self.child_starts[number], end)
            if entry == end or self.names[entry] != name:
                return -1
        return entry

    def kind(self, entry: int) -> int:
        """Return the type bits: REGULAR, DIRECTORY, LINK, OMITTED or one of SPECIALS."""
        return self.modes[entry] >> KIND_SHIFT

    def is_implied(self, entry: int) -> bool:
        """Return whether the entry is in the manifest only for the sake of listed ones, and left alone if it exists."""
        return self.listed is not None and self.listed.marks[entry] == Mark.IMPLIED

    def mtime_ns(self, entry: int) -> int:
        return self.far_times[entry] if entry in self.far_times else self.mtimes[entry]

    def digest(self, entry: int) -> bytes:
        """Return the BLAKE2b digest of a file's contents, or NO_DIGEST if it is not known."""
        return self.digests[entry * DIGEST_BYTES : (entry + 1) * DIGEST_BYTES]

    def has_contents(self, entry: int) -> bool:
        """Return whether the entry is a regular file and not a hard link to an earlier one."""
        return self.modes[entry] >> KIND_SHIFT == REGULAR and entry not in self.leaders

    def encode(self) -> bytes:
        """Return the manifest as the bytes of object 0."""
        packer = Packer(MAGIC)
        packer.number(len(self.names))  # [manifest-count]
        packer.object(self.policy.encode())  # [manifest-policy]
        counts = array("I", map(int.__sub__, self.child_starts[1:], self.child_starts))
        packer.joined_strings(self.names.text)  # [manifest-names]
        packer.column(self.modes)  # [manifest-modes]
        packer.column(counts)  # [manifest-child-counts]
        packer.column(self.uids)  # [manifest-uids]
        packer.column(self.gids)  # [manifest-gids]
        packer.column(self.sizes)  # [manifest-sizes]
        packer.column(self.mtimes)  # [manifest-mtimes]
        packer.strings([self.link_targets[entry] for entry in sorted(self.link_targets)])  # [manifest-link-targets]
        packer.number(len(self.leaders))  # [manifest-leader-count]
        packer.column(array("I", self.leaders.keys()))  # [manifest-members]
        packer.column(array("I", self.leaders.values()))  # [manifest-leaders]
        far = sorted(self.far_times.items())
        packer.number(len(far))  # [manifest-far-count]
        packer.column(array("I", [entry for entry, _ in far]))  # [manifest-far-entries]
        packer.column(array("q", [time // SECOND_NS for _, time in far]))  # [manifest-far-seconds]
        packer.column(array("I", [time % SECOND_NS for _, time in far]))  # [manifest-far-rest]
        for table in (self.users, self.groups):
            packer.number(len(table))  # [manifest-owner-count]
            packer.column(array("I", table.keys()))  # [manifest-owner-ids]
            packer.strings(list(table.values()))  # [manifest-owner-names]
        if self.policy.checksum:
            packer.blob(self.digests)  # [manifest-digests]
        if self.policy.devices:
            devices = [self.devices[entry] for entry in sorted(self.devices)]
            packer.column(array("I", map(os.major, devices)))  # [manifest-majors]
            packer.column(array("I", map(os.minor, devices)))  # [manifest-minors]
        if self.policy.keeps_attributes:
            self.attributes.encode(packer)
            packer.column(self.attribute_numbers)  # [manifest-attributes]
        packer.number(len(self.incomplete))  # [manifest-incomplete-count]
        packer.column(array("I", sorted(self.incomplete)))  # [manifest-incomplete]
        if self.listed is not None:
            self.listed.encode(packer)
        return packer.packed()

    def tree_digest(self) -> bytes:
        """Return SHA-256 of all entries, which is the same for all manifests of one tree, whatever their policies."""
        tree = copy(self)
        has_attributes = any(number not in (0, UNKNOWN) for number in set(self.attribute_numbers))
        tree.policy = Policy(devices=bool(self.devices), xattrs=has_attributes)
        return hashlib.sha256(tree.encode()).digest()

    @classmethod
    def decode(cls, data: bytes) -> Manifest:
        """Decode the bytes of `encode`. Raise ProtocolDataError with one sentence for anything invalid."""
        unpacker = Unpacker(data, MAGIC, "manifest")
        count = unpacker.number(ENTRIES_MAX)
        self = cls(Policy.decode(unpacker.object()))
        self.names = NameColumn.split(unpacker.joined_strings(count))
        self.modes = unpacker.column("H", count)
        _check_modes(self.modes, unpacker)
        self.directories = array("I", positions_of(DIRECTORY, self.modes))
        self._decode_tree(unpacker)
        _check_names(self.names, self.parents, unpacker)
        for name, typecode in (("uids", "I"), ("gids", "I"), ("sizes", "q"), ("mtimes", "q")):
            setattr(self, name, unpacker.column(typecode, count))
        self._check_numbers(unpacker)
        self._decode_links(unpacker)
        self._decode_leaders(unpacker)
        self._decode_far_times(unpacker)
        self.users = _decode_owners(unpacker)
        self.groups = _decode_owners(unpacker)
        if self.policy.checksum:
            self.digests = unpacker.blob()
            if len(self.digests) != DIGEST_BYTES * count:
                raise unpacker.error("it has not one digest for each entry")
        if self.policy.devices:
            self._decode_devices(unpacker)
        if self.policy.keeps_attributes:
            self.attributes = AttributeSets.decode(unpacker)
            self.attribute_numbers = unpacker.column("I", count)
            if max(number for number in set(self.attribute_numbers) | {0} if number != UNKNOWN) >= len(self.attributes):
                raise unpacker.error("an entry has attributes that are in no set")
        self.incomplete = set(unpacker.column("I", unpacker.number(len(self.directories))))
        if not self.incomplete.issubset(self.directories):
            raise unpacker.error("an entry marked as an incomplete directory is not a directory")
        if self.policy.is_listed:
            self.listed = Listed.decode(unpacker, count)
        unpacker.end()
        return self

    def _decode_tree(self, unpacker: Unpacker) -> None:
        """Set the parents from how many children each directory has. So no entry can be its own ancestor."""
        counts = unpacker.column("I", len(self.directories))
        if sum(counts) != len(self.names) - 1:
            raise unpacker.error("the directories do not hold all entries")
        self.child_starts = array("I", accumulate(counts, initial=1))
        if not all(map(lt, self.directories, self.child_starts)):
            raise unpacker.error("a directory comes after its children")
        self.parents = array("I", [0])
        depths = {0: 0}
        for directory, count in zip(self.directories, counts):
            if directory:
                depths[directory] = depths[self.parents[directory]] + 1
            self.parents += array("I", (directory,)) * count
        if max(depths.values()) > DEPTH_MAX:
            raise unpacker.error(f"it is more than {DEPTH_MAX} directories deep")

    def _check_numbers(self, unpacker: Unpacker) -> None:
        if min(self.sizes) < 0:
            raise unpacker.error("a size is negative")
        kinds = set(kinds_of(self.modes)) - {REGULAR, DIRECTORY}
        others = chain(self.directories, *(positions_of(kind, self.modes) for kind in kinds))
        if any(self.sizes[entry] for entry in others):
            raise unpacker.error("something that is not a file has a size")
        if max(max(self.uids), max(self.gids)) == NO_OWNER:  # the greatest number there is
            raise unpacker.error("an owner is not a user or group")

    def _decode_links(self, unpacker: Unpacker) -> None:
        links = positions_of(LINK, self.modes)
        targets = unpacker.strings(len(links))
        if targets and not (min(map(len, targets)) > 0 and max(map(len, targets)) <= LINK_BYTES_MAX):
            raise unpacker.error("a soft link has an impossible target")
        self.link_targets = dict(zip(links, targets))

    def _decode_leaders(self, unpacker: Unpacker) -> None:
        count = unpacker.number(len(self.names))
        members, leaders = unpacker.column("I", count), unpacker.column("I", count)
        self.leaders = dict(zip(members, leaders))
        if not _is_ascending(members) or (members and members[-1] >= len(self.names)):
            raise unpacker.error("hard links are not in order")
        for member, leader in self.leaders.items():
            kind = self.kind(min(leader, member))
            is_related = kind == self.kind(member) and kind not in (DIRECTORY, OMITTED)
            if leader >= member or leader in self.leaders or not is_related:
                raise unpacker.error("a hard link leads to something else than an entry of its kind before it")

    def _decode_devices(self, unpacker: Unpacker) -> None:
        entries = [i for i, mode in enumerate(self.modes) if mode >> KIND_SHIFT in DEVICES]
        majors, minors = unpacker.column("I", len(entries)), unpacker.column("I", len(entries))
        if (majors and max(majors) > MAJOR_MAX) or (minors and max(minors) > MINOR_MAX):
            raise unpacker.error("a device has an impossible number")
        self.devices = dict(zip(entries, map(os.makedev, majors, minors)))

    def _decode_far_times(self, unpacker: Unpacker) -> None:
        count = unpacker.number(len(self.names))
        entries = unpacker.column("I", count)
        if not _is_ascending(entries) or (entries and entries[-1] >= len(self.names)):
            raise unpacker.error("far times are not in order")
        for entry, seconds, rest in zip(entries, unpacker.column("q", count), unpacker.column("I", count)):
            time = seconds * SECOND_NS + rest
            if rest >= SECOND_NS or self.mtimes[entry] != (TIME_MAX if time > 0 else TIME_MIN):
                raise unpacker.error("a far time is impossible")
            self.far_times[entry] = time


def _decode_owners(unpacker: Unpacker) -> dict[int, bytes]:
    count = unpacker.number(OWNERS_MAX)
    return dict(zip(unpacker.column("I", count), unpacker.strings(count)))


def _check_modes(modes: array[int], unpacker: Unpacker) -> None:
    if not modes or modes[0] >> KIND_SHIFT != DIRECTORY:
        raise unpacker.error("its root is not a directory")
    if kinds_of(modes).translate(None, bytes(_KINDS)):
        raise unpacker.error("an entry has an unknown type")


def _check_names(names: NameColumn, parents: array[int], unpacker: Unpacker) -> None:
    if names[0]:
        raise unpacker.error("its root has a name")
    if len(names) == 1:
        return
    text = names.text
    if b"/" in text:
        raise unpacker.error("a name has a slash")
    if b"\0\0" in text or b"\0.\0" in text or b"\0..\0" in text or text.endswith((b"\0", b"\0.", b"\0..")):
        raise unpacker.error("a name is empty, '.' or '..'")
    for first in range(0, len(names) - 1, _NAMES_AT_ONCE):
        some = names[first : first + _NAMES_AT_ONCE + 1]
        if max(map(len, some)) > NAME_BYTES_MAX:
            raise unpacker.error("a name is too long")
        unordered = compress(range(first + 1, first + len(some)), map(ge, some, islice(some, 1, None)))
        if any(parents[entry] == parents[entry - 1] for entry in unordered):
            raise unpacker.error("names in a directory are out of order or come twice")


def _is_ascending(values: array[int]) -> bool:
    return all(map(lt, values, islice(values, 1, None)))
