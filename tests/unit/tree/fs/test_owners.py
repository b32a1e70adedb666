"""Owners are mapped by name, and a process leaves alone those that it may not set."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from array import array

import pytest

from mrsync.errors import UsageError
from mrsync.tree.fs.owners import (
    Ownership,
    keep_mode,
    localize_modes,
    localize_owners,
    maps_of_chown,
    name_owners,
    parse_owner_map,
    unknown_owners,
)
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


FILES = [0, 1, 33, 1000, UNKNOWN]
NAMES = {0: b"root", 1: b"daemon", 33: b"www-data", 1000: b"someone"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("daemon:2", [0, 2, 33, 1000, UNKNOWN]),
        ("1:2,1-33:7,*:9", [9, 2, 7, 9, 9]),
        (":5", [0, 1, 33, 1000, 5]),
        ("root:5,0:6", [5, 1, 33, 1000, UNKNOWN]),
        ("d*:5,[vw]*:6", [0, 5, 6, 1000, UNKNOWN]),
        ("1:nobody knows this,1:6", [0, 6, 33, 1000, UNKNOWN]),
        ("1:daemon,33:1", [0, 1, 1, 1000, UNKNOWN]),
        ("33-1:5", FILES),
    ],
)
def test_maps_give_files_to_others(text: str, expected: list[int]) -> None:
    manifest = owned_by(FILES, FILES)
    manifest.policy = Policy(user_map=text, group_map=text)
    manifest.users, manifest.groups = dict(NAMES), dict(NAMES)
    localize_owners(manifest)
    one = 0 if text.startswith("1:d") else 1000  # which name 1000 has here is left open
    assert [uid for uid in manifest.uids if uid != one] == [uid for uid in expected if uid != one]
    assert manifest.gids.tolist()[:3] == expected[:3]


def test_numeric_ids_have_no_names_for_maps() -> None:
    manifest = owned_by(FILES, FILES)
    manifest.policy = Policy(user_map="daemon:5,:6", numeric_ids=True)
    manifest.users = dict(NAMES)
    localize_owners(manifest)
    assert manifest.uids.tolist() == [6] * 5


@pytest.mark.parametrize(
    "text",
    ["", "1", "1:", ",1:2", "1:2,", "1-:2", "33-data:2", "1:4294967295", "-", "1:" + 5000 * "9", 5000 * "9" + ":1"],
)
def test_maps_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"^--usermap "):
        parse_owner_map(text, "--usermap")


def test_chown_is_a_map_of_all() -> None:
    assert maps_of_chown("a:b") == ("*:a", "*:b")
    assert (maps_of_chown("a"), maps_of_chown("a:"), maps_of_chown(":b")) == (("*:a", ""), ("*:a", ""), ("", "*:b"))


def test_unknown_names_are_told() -> None:
    told = unknown_owners(Policy(user_map="*:who is this,1:daemon", group_map="*:7"))
    assert told == ["there is no user who is this here, so nothing is mapped to it"]


FILE, FOLDER, LINK = stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK
STRANGER = 12345


def manifest_of(mode: int, uid: int = STRANGER, gid: int = STRANGER, **policy: bool) -> Manifest:
    manifest = Manifest(Policy(**policy))  # type: ignore[arg-type]
    manifest.modes, manifest.uids, manifest.gids = array("H", [mode]), array("I", [uid]), array("I", [gid])
    return manifest


@pytest.mark.parametrize(
    ("mode", "expected"),
    [(FILE | 0o4777, FILE | 0o755), (FOLDER | 0o2775, FOLDER | 0o755), (FILE | 0o600, FILE | 0o600)],
)
def test_new_entries_get_what_the_umask_allows(mode: int, expected: int) -> None:
    manifest = manifest_of(mode, modes=False)
    localize_modes(manifest, 0o022)
    assert manifest.modes.tolist() == [expected]


def test_no_stranger_lends_rights_by_set_id_bits() -> None:
    mine = os.geteuid(), os.getegid()
    for owners, groups, owner, mode in (
        (False, True, (STRANGER, STRANGER), 0o2755),
        (True, False, (STRANGER, STRANGER), 0o4755),
        (False, False, (STRANGER, STRANGER), 0o755),
        (False, False, mine, 0o6755),
        (True, True, (STRANGER, STRANGER), 0o6755),
    ):
        manifest = manifest_of(FILE | 0o6755, *owner, owners=owners, groups=groups)
        localize_modes(manifest, 0o022)
        assert manifest.modes.tolist() == [FILE | mode]


@pytest.mark.parametrize(
    ("wanted", "found", "executability", "expected"),
    [
        (FILE | 0o755, 0o4640, False, FILE | 0o640),
        (FILE | 0o755, 0o640, True, FILE | 0o750),
        (FILE | 0o644, 0o751, True, FILE | 0o640),
        (FILE | 0o711, 0o710, True, FILE | 0o710),
        (FOLDER | 0o755, 0o3700, True, FOLDER | 0o3700),
        (LINK | 0o777, 0o700, False, LINK | 0o777),
    ],
)
def test_what_is_there_keeps_its_mode(wanted: int, found: int, executability: bool, expected: int) -> None:
    manifest = manifest_of(wanted, modes=False, executability=executability)
    keep_mode(manifest, 0, found)
    assert manifest.modes.tolist() == [expected]
