"""A master behind a NAT, as in a container's default network or a pod: what comes in must answer something.

Its address and its ports look different to the targets, and nothing else leads back to it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.netns.subnets import Subnets, namespace_shell
from tests.programs import program
from tests.trees import differences

pytestmark = pytest.mark.netns

SAME_PORTS, OTHER_PORTS = "masquerade", "masquerade fully-random"


@pytest.fixture
def lab(request: pytest.FixtureRequest) -> Iterator[Subnets]:
    lab = Subnets(2, is_routed=True)
    with lab:
        assert lab.router is not None
        rules = (
            "table inet nat {"
            f" chain out {{ type nat hook postrouting priority srcnat; oifname eth1 {request.param}; }};"
            " chain through { type filter hook forward priority 0; policy drop;"
            " iifname eth0 accept; ct state established accept; }; }"
        )
        assert lab.router.run("nft", rules).returncode == 0
        yield lab


@pytest.mark.parametrize(
    ("lab", "options"), [(SAME_PORTS, ()), (OTHER_PORTS, ()), (OTHER_PORTS, ("--unicast",))], indirect=["lab"]
)
def test_a_sync_from_behind_a_nat(lab: Subnets, tmp_path: Path, options: tuple[str, ...]) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "file").write_bytes(bytes(range(256)) * 50000)
    (tmp_path / "dest").mkdir()
    names = ",".join(host.name for host in lab.far)
    done = lab.master.run(
        *program("mrsync", "-m", names, "-r", str(namespace_shell(lab, tmp_path))),
        *("-s", str(source), "-t", f"{tmp_path}/dest/{{host}}", *options),
        timeout_s=100,
    )
    assert (done.returncode, "no UDP packet arrives" in done.stderr) == (0, False), done.stderr
    for host in lab.far:
        assert differences(source, tmp_path / "dest" / host.name) == []


@pytest.mark.parametrize("lab", [OTHER_PORTS], indirect=True)
def test_the_doctor_finds_nothing_that_stops_a_sync(lab: Subnets, tmp_path: Path) -> None:
    names = ",".join(host.name for host in lab.far)
    done = lab.master.run(
        *program("mrsync", "doctor", "-m", names, "-r", str(namespace_shell(lab, tmp_path))),
        *("-t", "/dev/shm", "--json"),
        timeout_s=100,
    )
    causes = [finding["cause"] for finding in json.loads(done.stdout)["targets"][lab.far[0].name]["findings"]]
    assert "firewall accepts only replies" in causes
