"""The name of a hard-link group that counts is the one that rsync takes."""

from __future__ import annotations

from array import array

from mrsync.tree.compare.hard_links import Found, LinkGroup, LinkGroups
from tests.unit.tree.model.test_plan import manifest_of

RIGHT = Found(is_present=True, inode=(1, 5), is_right=True)
OTHER = Found(is_present=True, inode=(1, 6))


def settle(
    *found: Found | None, entry_of_inode: dict[tuple[int, int], int] | None = None
) -> tuple[LinkGroup, dict[int, int]]:
    """One group of entries 1 to n; None: an option left it alone."""
    manifest = manifest_of([3] * len(found))
    manifest.parents = array("I", bytes(4 * (len(found) + 1)))
    manifest.leaders = dict.fromkeys(range(2, len(found) + 1), 1)
    groups = LinkGroups(manifest)
    for entry, one in enumerate(found, 1):
        if one is not None:
            groups.note(entry, one)
    (group,) = groups.settle({} if entry_of_inode is None else entry_of_inode)
    return group, manifest.leaders


def test_nothing_here_needs_the_leader_and_names_the_last() -> None:
    assert settle(Found(), Found(), Found()) == (LinkGroup(3, 1, [2, 3], [], [1, 2]), {2: 1, 3: 1})


def test_the_first_that_is_right_serves_all() -> None:
    assert settle(Found(), RIGHT, RIGHT, OTHER) == (LinkGroup(2, -1, [1, 4], [3], [1, 4]), {1: 2, 3: 2, 4: 2})


def test_the_first_that_is_here_counts_even_if_another_is_right() -> None:
    group, leaders = settle(Found(), OTHER, RIGHT)
    assert group == LinkGroup(2, 1, [2, 3], [], [1, 3])
    assert leaders == {2: 1, 3: 1}


class _Counted(int):
    """A number of an entry that counts how often any of them is compared."""

    comparisons = 0
    __hash__ = int.__hash__

    def __eq__(self, other: object) -> bool:
        _Counted.comparisons += 1
        return int.__eq__(self, other)


def test_a_large_group_is_not_compared_name_by_name() -> None:
    count = 400
    manifest = manifest_of([3] * count)
    manifest.parents = array("I", bytes(4 * (count + 1)))
    manifest.leaders = {_Counted(entry): 1 for entry in range(2, count + 1)}
    groups = LinkGroups(manifest)
    for entry in range(1, count + 1):
        groups.note(entry, RIGHT)
    (group,) = groups.settle({})
    assert (group.first, len(group.joined)) == (1, count - 1)
    assert _Counted.comparisons < 20 * count


def test_names_that_are_left_alone_take_no_part() -> None:
    group, leaders = settle(None, Found(), OTHER)
    assert group == LinkGroup(3, 3, [2], [], [2])
    assert leaders[2] == 3
    assert settle(None, None)[0] == LinkGroup(-1, -1, [], [], [])


def test_a_newer_name_is_left_alone_until_another_counts() -> None:
    newer = OTHER._replace(is_newer=True)
    assert settle(newer, RIGHT, newer)[0] == LinkGroup(2, -1, [3], [], [3])
    assert settle(newer, newer)[0] == LinkGroup(-1, -1, [], [], [])


def test_an_inode_that_another_entry_keeps_does_not_serve() -> None:
    entry_of_inode = {(1, 5): 17}
    assert settle(RIGHT, RIGHT, entry_of_inode=entry_of_inode)[0] == LinkGroup(1, 1, [2], [2], [])
