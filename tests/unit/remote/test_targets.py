from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from ClusterShell.NodeSet import set_std_group_resolver
from ClusterShell.NodeUtils import GroupResolver, GroupResolverConfig, GroupSource

from mrsync.errors import UsageError
from mrsync.remote.targets import is_own_name, read_targets


@pytest.fixture
def _groups(tmp_path: Path) -> Iterator[None]:
    """The groups an admin would have in /etc/clustershell."""
    (tmp_path / "racks.yaml").write_text('racks:\n  left: "n[1-3]"\n  right: "n[7,9]"\n  none: ""\n')
    config = tmp_path / "groups.conf"
    config.write_text(f"[Main]\ndefault: racks\nautodir: {tmp_path}\n")
    set_std_group_resolver(GroupResolverConfig([str(config)]))
    yield
    set_std_group_resolver(None)


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("a", "a"),
        ("b,a", "b a"),
        ("b, a ,b,", "b a"),
        ("root@b,10.9.8.7,fe80::7%eth0", "root@b 10.9.8.7 fe80::7%eth0"),
        ("[2001:db8::1],root@[fe80::7%eth0]", "2001:db8::1 root@fe80::7%eth0"),
        ("[fd00::1],node[1-2],[::ffff:10.9.8.7]", "::ffff:10.9.8.7 fd00::1 node1 node2"),
        ("node[08-10]", "node08 node09 node10"),
        ("node[0-8/4]", "node0 node4 node8"),
        ("root@node[1-3]!root@node2", "root@node1 root@node3"),
    ],
)
def test_a_list_is_expanded_in_its_order(text: str, hosts: str) -> None:
    assert read_targets([text]).hosts == tuple(hosts.split())


def test_several_lists_add_up(tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("c\na\n")
    (tmp_path / "down").write_text("")
    assert read_targets(["b,a", str(tmp_path / "hosts"), "n[1-2]"]).hosts == ("b", "a", "c", "n1", "n2")
    left = read_targets(["a,b", "n[1-3]"], ["b", "n1", str(tmp_path / "down")], ["n2", "elsewhere"])
    assert left.hosts == ("a", "n3")


def test_a_file_has_one_target_or_list_per_line(tmp_path: Path) -> None:
    path = tmp_path / "targets"
    path.write_text("# all of them\n\nzeta  # the old one\nnode[1-2]\n  alpha\nzeta\n")
    assert set(read_targets([str(path)]).hosts) == {"zeta", "node1", "node2", "alpha"}
    path.write_bytes(b"\xef\xbb\xbfzeta\r\nalpha\r\n")  # as Windows writes it
    assert read_targets([str(path)]).hosts == ("zeta", "alpha")


@pytest.mark.parametrize("mark", [b"\xff\xfe", b"\xfe\xff"])
def test_a_file_may_be_utf_16(tmp_path: Path, mark: bytes) -> None:
    """PowerShell writes such, with a mark of the order of bytes at the beginning."""
    path = tmp_path / "targets"
    encoding = "utf-16-le" if mark == b"\xff\xfe" else "utf-16-be"
    path.write_bytes(mark + "zeta\r\nalpha\r\n".encode(encoding))
    assert read_targets([str(path)]).hosts == ("zeta", "alpha")
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(UsageError, match="no host can have the name"):
        read_targets([str(path)])


@pytest.mark.usefixtures("_groups")
def test_groups_are_known() -> None:
    assert read_targets(["@left,@racks:right"]).hosts == ("n1", "n2", "n3", "n7", "n9")
    assert read_targets(["@left!n2"]).hosts == ("n1", "n3")


@pytest.mark.usefixtures("_groups")
def test_the_group_that_was_meant_is_named() -> None:
    with pytest.raises(UsageError, match="unknown or empty group @rihgt; did you mean @right"):
        read_targets(["n1,@rihgt"])


@pytest.mark.usefixtures("_groups")
def test_an_empty_group_is_an_error() -> None:
    with pytest.raises(UsageError, match=r"unknown or empty group @none; docs/cli\.md says how to define groups"):
        read_targets(["@none"])


@pytest.mark.usefixtures("_groups")
@pytest.mark.parametrize("text", ["@nope", "a,@nope", "@left,@none", "@left!@nope", "@other:left"])
def test_an_unknown_or_empty_group_is_an_error(text: str) -> None:
    with pytest.raises(UsageError, match=r"unknown or empty group|cannot understand|no group source"):
        read_targets([text])


@pytest.mark.parametrize(
    "name",
    [
        "-oProxyCommand=x",
        "n1;id",
        "a b",
        "$(id)",
        "../x",
        "ä",
        "x" * 256,
        "a\nb",
        "a'b",
        "a:",
        "a:b",
        "root@",
        "root@-x",
    ],
)
def test_a_name_no_host_can_have_is_an_error(name: str) -> None:
    with pytest.raises(UsageError):
        read_targets([f"good,{name}"])


@pytest.mark.parametrize("name", ["a:", "a:b", "root@", "root@-x", "::g", "1:2:3"])
def test_invalid_hosts_are_errors(name: str) -> None:
    with pytest.raises(UsageError, match="no host can have the name"):
        read_targets([f"good,{name}"])


def test_long_lists_take_no_time() -> None:
    """That would be hours."""
    assert read_targets(["a" + "," * 500_000 + "b"]).hosts == ("a", "b")


def test_no_host_has_a_number_of_thousands_of_digits() -> None:
    number = "1" * 5000
    with pytest.raises(UsageError, match="stands for more than"):
        read_targets([f"n[{number}-{number}]"])


@pytest.mark.parametrize("text", ["", ",", " , ", "a[", "a[1-", "a[3-1]"])
def test_an_empty_or_broken_list_is_an_error(text: str) -> None:
    with pytest.raises(UsageError):
        read_targets([text])


def test_an_empty_or_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        read_targets([str(tmp_path / "none")])
    (tmp_path / "empty").write_text("# nobody\n")
    with pytest.raises(UsageError, match="no target"):
        read_targets([str(tmp_path / "empty")])


@pytest.mark.parametrize("text", ["@none.ini:web", "@none.ini", "@./none:web", "a,@none.yml:web,b"])
def test_a_missing_inventory_is_not_taken_for_a_group(text: str) -> None:
    with pytest.raises(UsageError, match=r"cannot read the targets file [./]*none[.inyml]*: No such file"):
        read_targets([text])


def test_this_host_is_left_out_with_a_notice() -> None:
    own = socket.gethostname()
    targets = read_targets([f"alpha,{own},localhost,127.0.0.1,beta"])
    assert targets.hosts == ("alpha", "beta")
    assert targets.left_out == (own, "localhost", "127.0.0.1")
    assert read_targets(["localhost,a"], keeps_own_host=True).hosts == ("localhost", "a")
    with pytest.raises(UsageError, match="localhost is this host"):
        read_targets(["localhost"])


def test_addresses_are_ours_if_we_can_bind_them() -> None:
    assert is_own_name("127.0.0.1")
    assert is_own_name("root@127.0.0.1")
    assert not is_own_name("192.0.2.1")
    assert not is_own_name("2001:db8::1")


@pytest.mark.parametrize(
    ("text", "has_groups", "sentence"),
    [
        ("@racks", False, "@racks: no groups are defined on this host; docs/cli.md says how to define groups"),
        ("@other:racks", True, "there is no group source other here; docs/cli.md says how to define groups"),
        ("@rolls:racks", True, "@rolls:racks: there is no group source rolls here; did you mean @roles:?"),
        ("@roles:rack", True, "unknown or empty group @roles:rack; did you mean @roles:racks?"),
        ("@rack", True, "unknown or empty group @rack; did you mean @racks?"),
    ],
)
def test_an_unknown_group_suggests_a_known_one(text: str, has_groups: bool, sentence: str) -> None:
    source = GroupSource("roles", {"racks": "node[1-2]", "web": "node3"}) if has_groups else None
    set_std_group_resolver(GroupResolver(source))
    try:
        with pytest.raises(UsageError, match=re.escape(sentence)):
            read_targets([text])
    finally:
        set_std_group_resolver(None)


@pytest.mark.usefixtures("_groups")
@pytest.mark.parametrize(
    ("excluded", "left"),
    [
        ("n2", "u@n1 n3 x"),
        ("n1", "n2 n3 x"),
        ("u@n1,n[2-9]", "x"),
        ("@left,x", ""),
        ("@right,n2", "u@n1 n3 x"),
        ("{list}", "u@n1 n2 n3"),
        ("n8", "n8 is not among the targets"),
        ("n2,v@n1", "v@n1 is not among the targets"),
        ("x,n[5-9]", r"n\[5-9\] is not among the targets"),
    ],
)
def test_a_target_to_leave_out_is_among_the_targets(tmp_path: Path, excluded: str, left: str) -> None:
    (tmp_path / "list").write_text("x\nelsewhere\n")
    words = [excluded.format(list=tmp_path / "list")]
    if left and "not among" not in left:
        assert set(read_targets(["u@n1,n[2-3],x"], words).hosts) == set(left.split())
        return
    with pytest.raises(UsageError, match=left or "no target"):
        read_targets(["u@n1,n[2-3],x"], words)
