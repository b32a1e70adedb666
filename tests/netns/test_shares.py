"""--share on the wire: how packets ask routers to treat them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.netns.conftest import MakeLab
from tests.netns.fleet import Fleet
from tests.netns.lab import Lab, run

pytestmark = pytest.mark.netns

SIZE = 1 << 20
LOWER_EFFORT = 1  # the code point LE of RFC 8622


def count_classes(lab: Lab) -> None:
    """Have the switch count the master's packets that are of lower effort, and those that may be marked (ECT(0))."""
    rules = [
        "table netdev classes {",
        " counter lower_effort {}",
        " counter markable {}",
        f" chain ingress {{ type filter hook ingress device {lab.master.port} priority 0;",
        f"  ip protocol udp ip dscp {LOWER_EFFORT} counter name lower_effort",
        "  ip protocol udp ip ecn ect0 counter name markable",
        " }",
        "}",
    ]
    run("ip", "netns", "exec", lab.switch, "nft", "-f", "-", stdin="\n".join(rules))


def counted(lab: Lab) -> dict[str, int]:
    """Return the packets of each class."""
    said = json.loads(run("ip", "netns", "exec", lab.switch, "nft", "-j", "list", "counters"))["nftables"]
    return {item["counter"]["name"]: item["counter"]["packets"] for item in said if "counter" in item}


@pytest.mark.parametrize(
    ("share", "is_lower", "is_markable"), [("all", False, False), ("fair", False, True), ("polite", True, True)]
)
def test_packets_carry_the_mark_of_their_share(
    make_lab: MakeLab, tmp_path: Path, share: str, is_lower: bool, is_markable: bool
) -> None:
    fleet = Fleet(make_lab(2), tmp_path)
    fleet.source.mkdir()
    (fleet.source / "file").write_bytes(os.urandom(SIZE))
    fleet.start_catchers()
    count_classes(fleet.lab)
    assert fleet.cast("--share", share) == 0
    assert fleet.differences() == {}
    packets = counted(fleet.lab)
    sent = fleet.report()["packets_sent"]
    assert packets["lower_effort"] >= sent if is_lower else packets["lower_effort"] == 0
    assert packets["markable"] >= sent if is_markable else packets["markable"] == 0
