"""Names are folded into short node sets that stand for the same names."""

from __future__ import annotations

import pytest
from ClusterShell.NodeSet import NodeSet
from hypothesis import given, settings
from hypothesis import strategies as st

from mrsync.remote.folding import fold
from mrsync.remote.targets import read_targets


@pytest.mark.parametrize(
    ("names", "folded"),
    [
        ("node1 node3 node2 x", "node[1-3],x"),
        ("node1", "node1"),
        ("b a", "a,b"),
        ("n9 n10 n11 n13", "n[9-11,13]"),
        ("n08 n09 n10 n7", "n[7,08-10]"),
        ("n09 n10 n99 n100", "n[09-10,99-100]"),
        ("n9 n010", "n[9,010]"),
        ("r1n1 r1n2 r2n1 r2n2 r3n1", "r[1-2]n[1-2],r3n1"),
        ("10.0.0.1 10.0.0.2 10.0.1.1", "10.0.0.[1-2],10.0.1.1"),
        ("root@n1-ib root@n2-ib", "root@n[1-2]-ib"),
        (f"n{10**18} n{10**18 + 1}", f"n[{10**18},{10**18 + 1}]"),
        ("n1 n;2", "n1,n;2"),
    ],
)
def test_names_are_folded(names: str, folded: str) -> None:
    assert fold(names.split()) == folded


@settings(max_examples=30)
@given(
    st.lists(st.from_regex(r"(a|b-|x0|)(0{0,2}[0-9]{1,3})(n[0-9]{1,2}|-ib|)", fullmatch=True), min_size=2, max_size=40)
)
def test_a_node_set_stands_for_its_names(names: list[str]) -> None:
    assert set(map(str, NodeSet(fold(names)))) == set(names)
    assert set(read_targets([fold(names)], keeps_own_host=True).hosts) == set(names)
