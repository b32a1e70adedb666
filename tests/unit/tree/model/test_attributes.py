"""Equal sets of attributes are stored once, survive encoding and decoding, and hostile ones are refused."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from typing import Any

import pytest

from mrsync.errors import ProtocolDataError
from mrsync.tree.model import acl
from mrsync.tree.model.attributes import UNKNOWN, Attributes, AttributeSets
from mrsync.tree.model.columns import NameColumn
from mrsync.tree.model.manifest import Manifest
from mrsync.tree.model.packing import Packer, Unpacker
from mrsync.tree.model.policy import Policy
from tests.oracle import GROUP, USER
from tests.oracle import acl as kernel_acl

ACL = kernel_acl((USER, 7, 6), (GROUP, 7, 4))
SAMPLE: tuple[Attributes, ...] = (
    ((b"user.a", b""), (b"user.b", b"\0" * 70)),
    ((acl.ACCESS, ACL), (b"user.a", b"1")),
    ((b"user.b", b"1"),),
)


def sets_of(*sample: Attributes) -> AttributeSets:
    made = AttributeSets()
    assert [made.number(attributes) for attributes in sample] == list(range(1, len(sample) + 1))
    return made


def round_trip(sets: AttributeSets) -> AttributeSets:
    packer = Packer(b"sets\x01")
    sets.encode(packer)
    return AttributeSets.decode(Unpacker(packer.packed(), b"sets\x01", "manifest"))


def test_equal_sets_have_one_number() -> None:
    sets = sets_of(*SAMPLE)
    assert sets.number(()) == 0
    assert [sets.number(attributes) for attributes in SAMPLE] == [1, 2, 3]
    assert [sets[number] for number in range(len(sets))] == [(), *SAMPLE]


def test_encoded_sets_are_decoded_unchanged() -> None:
    assert round_trip(sets_of(*SAMPLE)) == sets_of(*SAMPLE)
    assert round_trip(AttributeSets()) == AttributeSets()


def test_acls_get_the_ids_of_the_target() -> None:
    sets = sets_of(*SAMPLE)
    assert sets.ids() == ({7}, {7})
    sets.translate({7: 8, 5: 1}, {7: 9})
    assert sets[2] == ((acl.ACCESS, kernel_acl((USER, 8, 6), (GROUP, 9, 4))), (b"user.a", b"1"))
    assert sets[1] == SAMPLE[0]


HOSTILE: dict[str, tuple[Attributes, ...]] = {
    "impossible name": (((b"", b"1"),),),
    "impossible": (((b"n" * 256, b"1"),),),
    "system's own": (((b"system.other", b"1"),),),
    "not an ACL": (((acl.ACCESS, b"1"),),),
    "lacks an entry": (((acl.DEFAULT, acl.pack([])),),),
    "come twice": (((b"user.a", b"1"), (b"user.a", b"2")),),
    "out of order": (((b"user.b", b"1"), (b"user.a", b"2")),),
    "do not add up": (((b"user.b", b"1" * 65537),),),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_sets_are_refused(what: str) -> None:
    with pytest.raises(ProtocolDataError, match=f"^the manifest is damaged: .*{what}"):
        round_trip(sets_of(*HOSTILE[what]))


COLUMNS: dict[str, Callable[[list[Any]], None]] = {
    "column": lambda numbers: numbers.__setitem__(2, 5),
    "strings": lambda numbers: numbers.__setitem__(0, 1),
}


@pytest.mark.parametrize("what", COLUMNS)
def test_tables_that_do_not_fit_are_refused(what: str) -> None:
    class Lying(Packer):
        def __init__(self) -> None:
            super().__init__(b"sets\x01")
            self.numbers = [3, 4, 4, 5]

        def number(self, value: int) -> None:
            super().number(self.numbers.pop(0))

    packer = Lying()
    COLUMNS[what](packer.numbers)
    sets_of(*SAMPLE).encode(packer)
    with pytest.raises(ProtocolDataError, match=what):
        AttributeSets.decode(Unpacker(packer.packed(), b"sets\x01", "manifest"))


def manifest(number: int, count: int = 1000) -> Manifest:
    made = Manifest(Policy(acls=True))
    made.names = NameColumn([b"", *[b"%08d" % i for i in range(count)]])
    made.modes = array("H", [0o40755, *[0o100644] * count])
    made.uids = made.gids = made.parents = array("I", bytes(4 * count + 4))
    made.sizes = made.mtimes = array("q", bytes(8 * count + 8))
    made.directories, made.child_starts = array("I", [0]), array("I", [1, count + 1])
    made.attributes = sets_of(*SAMPLE)
    made.attribute_numbers = array("I", [number]) * (count + 1)
    return made


def test_an_acl_that_all_have_costs_a_quarter_byte_for_each() -> None:
    plain = manifest(0)
    plain.policy = Policy()
    assert len(manifest(2).encode()) - len(plain.encode()) < 500 + len(plain) / 4
    assert Manifest.decode(manifest(UNKNOWN).encode()).attribute_numbers[-1] == UNKNOWN


def test_a_malformed_set_is_refused() -> None:
    with pytest.raises(ProtocolDataError, match="in no set"):
        Manifest.decode(manifest(4).encode())


def test_devices_that_cannot_be_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    made = manifest(0, 1)
    made.policy = Policy(devices=True)
    made.modes[1] = 0o20600
    made.devices = {1: 0x10005}
    assert Manifest.decode(made.encode()).devices == {1: 0x10005}
    monkeypatch.setattr("os.major", lambda device: 4096)
    with pytest.raises(ProtocolDataError, match="device"):
        Manifest.decode(made.encode())
