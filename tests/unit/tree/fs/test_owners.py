"""Owners travel by name; what a process may not set it leaves alone."""

from __future__ import annotations

import grp
import os
import pwd
from array import array

import pytest

from mrsync.errors import UsageError
from mrsync.tree.fs.owners import NewOwner, Ownership, localize_owners, name_owners, override_owners, parse_owners
from mrsync.tree.model.manifest import Manifest
from mrsync.tree.model.policy import Policy
from tests.unit.tree.syncing import as_nobody

UNKNOWN = 54321


def owned_by(uids: list[int], gids: list[int], *, numeric_ids: bool = False) -> Manifest:
    manifest = Manifest(Policy(numeric_ids=numeric_ids))
    manifest.uids, manifest.gids = array("I", uids), array("I", gids)
    return manifest


def test_ids_get_their_names_where_they_have_one() -> None:
    manifest = owned_by([0, UNKNOWN, 1], [1, 0, UNKNOWN])
    name_owners(manifest)
    assert manifest.users == {0: b"root", 1: pwd.getpwuid(1).pw_name.encode()}
    assert manifest.groups == {0: b"root", 1: grp.getgrgid(1).gr_name.encode()}


def test_names_become_the_ids_they_have_here() -> None:
    daemon, games = pwd.getpwnam("daemon").pw_uid, grp.getgrnam("games").gr_gid
    manifest = owned_by([0, 7001, 7002, UNKNOWN], [0, 7001, 7002, UNKNOWN])
    manifest.users = {0: b"daemon", 7001: b"daemon", 7002: b"nobody here is called this"}
    manifest.groups = {0: b"games", 7001: b"games", 7002: b"nor this"}
    localize_owners(manifest)
    assert manifest.uids.tolist() == [0, daemon, 7002, UNKNOWN]
    assert manifest.gids.tolist() == [0, games, 7002, UNKNOWN]
    localize_owners(manifest)
    assert manifest.uids.tolist() == [0, daemon, 7002, UNKNOWN]


def test_ids_that_swap_their_names_are_swapped() -> None:
    one, other = pwd.getpwnam("daemon").pw_uid, pwd.getpwnam("games").pw_uid
    manifest = owned_by([one, other, one], [0, 0, 0])
    manifest.users = {one: b"games", other: b"daemon"}
    localize_owners(manifest)
    assert manifest.uids.tolist() == [other, one, other]
    localize_owners(manifest)  # they are this host's now, and not to be turned again
    assert manifest.uids.tolist() == [other, one, other]


def test_numeric_ids_stay() -> None:
    manifest = owned_by([7001], [7001], numeric_ids=True)
    manifest.users, manifest.groups = {7001: b"daemon"}, {7001: b"daemon"}
    localize_owners(manifest)
    assert (manifest.uids.tolist(), manifest.gids.tolist()) == ([7001], [7001])


def test_root_sets_everything_others_only_their_groups() -> None:
    def run() -> None:
        ownership = Ownership()
        mine = os.getegid()
        assert ownership.settable(5, mine) == (-1, mine)
        assert ownership.settable(5, UNKNOWN) == (-1, -1)
        assert not ownership.differs((5, UNKNOWN), (6, UNKNOWN + 1))
        assert ownership.differs((5, mine), (6, UNKNOWN))

    as_nobody(run)
    if os.geteuid() == 0:
        ownership = Ownership()
        assert ownership.settable(5, UNKNOWN) == (5, UNKNOWN)
        assert ownership.differs((5, 5), (6, 5))
        assert ownership.differs((5, 5), (5, 6))
        assert not ownership.differs((5, 6), (5, 6))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("root", (NewOwner(0, b"root"), None)),
        (":root", (None, NewOwner(0, b"root"))),
        ("17:18", (NewOwner(17), NewOwner(18))),
        ("root:", (NewOwner(0, b"root"), None)),
    ],
)
def test_new_owners_are_names_or_numbers(text: str, expected: tuple[NewOwner | None, NewOwner | None]) -> None:
    assert parse_owners(text) == expected


@pytest.mark.parametrize("text", ["", ":", "no-such-user", ":no-such-group", "4294967295", "-1"])
def test_unknown_owners_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"^--chown"):
        parse_owners(text)


def test_a_new_owner_travels_by_name_or_as_a_number_only() -> None:
    manifest = Manifest()
    manifest.names = [b"", b"a"]
    manifest.uids, manifest.gids = array("I", [0, 5]), array("I", [0, 7])
    manifest.users, manifest.groups = {5: b"five", 17: b"seventeen"}, {7: b"seven"}
    override_owners(manifest, NewOwner(17), NewOwner(18, b"crew"))
    assert (list(manifest.uids), list(manifest.gids)) == ([17, 17], [18, 18])
    assert (manifest.users[17], manifest.groups[18]) == (b"", b"crew")
    localize_owners(manifest)
    assert list(manifest.uids) == [17, 17]
