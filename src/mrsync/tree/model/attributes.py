"""Sets of extended attributes, each stored once for all entries that have it."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from itertools import islice
from typing import Callable

from mrsync.tree.model import acl
from mrsync.tree.model.packing import Packer, Unpacker, joined

NAME_BYTES_MAX = 255  # XATTR_NAME_MAX of Linux
VALUE_BYTES_MAX = 65536  # XATTR_SIZE_MAX
SETS_MAX = 1 << 24
PAIRS_MAX = 1 << 26
UNKNOWN = 0xFFFFFFFF  # stands for attributes that could not be read: targets leave theirs as they are

Attributes = tuple[tuple[bytes, bytes], ...]  # (name, value), sorted by name


class AttributeSets:
    """Distinct sets by number; 0 is the empty set. Access ACLs are reduced by `acl.without_mode`."""

    def __init__(self) -> None:
        self._sets: list[Attributes] = [()]
        self._numbers: dict[Attributes, int] = {(): 0}

    def __len__(self) -> int:
        return len(self._sets)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AttributeSets) and self._sets == other._sets

    __hash__ = None  # type: ignore[assignment]  # sets are added

    def __getitem__(self, number: int) -> Attributes:
        return self._sets[number]

    def number(self, attributes: Attributes) -> int:
        """Return the number of a set, adding it if it is new."""
        number = self._numbers.get(attributes)
        if number is None:
            number = self._numbers[attributes] = len(self._sets)
            self._sets.append(attributes)
        return number

    def ids(self) -> tuple[set[int], set[int]]:
        """Return the ids of all users and groups in ACLs."""
        named = {pair for value in self._acls() for pair in acl.ids(value)}
        return {number for is_user, number in named if is_user}, {number for is_user, number in named if not is_user}

    def translate(self, users: Mapping[int, int], groups: Mapping[int, int]) -> None:
        """Replace ids in all ACLs."""
        if any(old != new for table in (users, groups) for old, new in table.items()):
            table = {value: acl.translated(value, users, groups) for value in self._acls()}
            self._change(lambda name, value: table[value] if name in acl.NAMES else value)

    def encode(self, packer: Packer) -> None:
        names = sorted({name for attributes in self._sets for name, _ in attributes})
        values = list(dict.fromkeys(value for attributes in self._sets for _, value in attributes))
        name_at = {name: number for number, name in enumerate(names)}
        value_at = {value: number for number, value in enumerate(values)}
        pairs = [pair for attributes in self._sets for pair in attributes]
        packer.number(len(names))  # [attributes-name-count]
        packer.number(len(values))  # [attributes-value-count]
        packer.number(len(self._sets))  # [attributes-set-count]
        packer.number(len(pairs))  # [attributes-pair-count]
        packer.strings(names)  # [attributes-names]
        packer.column(array("I", map(len, values)))  # [attributes-value-lengths]
        packer.blob(joined(values))  # [attributes-values]
        packer.column(array("I", map(len, self._sets)))  # [attributes-set-lengths]
        packer.column(array("I", [name_at[name] for name, _ in pairs]))  # [attributes-pair-names]
        packer.column(array("I", [value_at[value] for _, value in pairs]))  # [attributes-pair-values]

    @classmethod
    def decode(cls, unpacker: Unpacker) -> AttributeSets:
        """Decode what `encode` wrote. Raise ProtocolDataError for attributes that no file can have."""
        name_count, value_count = unpacker.number(PAIRS_MAX), unpacker.number(PAIRS_MAX)
        set_count, pair_count = unpacker.number(SETS_MAX), unpacker.number(PAIRS_MAX)
        names = unpacker.strings(name_count)
        if any(not 0 < len(name) <= NAME_BYTES_MAX for name in names):
            raise unpacker.error("an attribute has an impossible name")
        if any(name.startswith(b"system.") and name not in acl.NAMES for name in names):
            raise unpacker.error("an attribute is the system's own")
        values = _decode_values(unpacker, value_count)
        counts = unpacker.column("I", set_count)
        pair_names, pair_values = unpacker.column("I", pair_count), unpacker.column("I", pair_count)
        if sum(counts) != pair_count or not counts or counts[0]:
            raise unpacker.error("its sets of attributes do not add up")
        if pair_count and (max(pair_names) >= name_count or max(pair_values) >= value_count):
            raise unpacker.error("an attribute is outside its table")
        self = cls()
        pairs = zip(map(names.__getitem__, pair_names), map(values.__getitem__, pair_values))
        known: dict[tuple[bytes, bytes], tuple[bytes, bytes]] = {}  # so that equal pairs take memory once
        for count in counts[1:]:
            attributes = tuple([known.setdefault(pair, pair) for pair in islice(pairs, count)])
            if count > 1 and any(one[0] >= other[0] for one, other in zip(attributes, attributes[1:])):
                raise unpacker.error("attributes are out of order or come twice")
            self._sets.append(attributes)  # even a duplicate, so that the encoder's numbers stay valid
        try:
            for value in {value for name, value in known if name in acl.NAMES}:
                acl.parse(value)
        except ValueError as error:
            raise unpacker.error(f"it has {error}") from error
        return self

    def _acls(self) -> set[bytes]:
        return {value for attributes in self._sets for name, value in attributes if name in acl.NAMES}

    def _change(self, change: Callable[[bytes, bytes], bytes]) -> None:
        self._sets = [tuple([(name, change(name, value)) for name, value in attributes]) for attributes in self._sets]
        self._numbers = {attributes: number for number, attributes in enumerate(self._sets)}


def _decode_values(unpacker: Unpacker, count: int) -> list[bytes]:
    lengths = unpacker.column("I", count)
    data = unpacker.blob()
    if sum(lengths) != len(data) or (lengths and max(lengths) > VALUE_BYTES_MAX):
        raise unpacker.error("the values of its attributes do not add up")
    values = []
    position = 0
    for length in lengths:
        values.append(data[position : position + length])
        position += length
    return values
