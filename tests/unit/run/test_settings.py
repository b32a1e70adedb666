from __future__ import annotations

import os
from typing import Any

import pytest

from mrsync.errors import FileError, ProtocolDataError, UsageError
from mrsync.run.settings import (
    CastSettings,
    CatchSettings,
    Invitation,
    Network,
    Remote,
    decode_own_secret,
    draw_own_secrets,
    encode_own_secret,
)
from mrsync.tree.model.policy import Policy
from mrsync.tree.source.selection import Selection

NETWORK = Network("239.1.2.3", 9000, ttl=3, has_loop=True, interface="eth7")


def test_an_invitation_survives_the_line() -> None:
    invitation = Invitation(
        ("n1", "n2"), b"/srv/\xff\n/{host}", bytes(range(32)), NETWORK, ("10.0.0.1",), (0, None), 2, is_dry_run=True
    )
    line = invitation.encode()
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert Invitation.decode(line) == invitation


def test_a_target_finds_itself_by_its_name() -> None:
    masters = ("10.0.0.1", "10.9.9.9")
    invitation = Invitation(("n1", "root@n2"), b"/srv/{host}", b"secret", NETWORK, masters, (), 1)
    assert invitation.settings_for("root@n2") == CatchSettings(
        1, "root@n2", b"/srv/n2", b"secret", NETWORK, 1, master="10.0.0.1"
    )
    assert invitation._replace(behind=(0, 1)).settings_for("root@n2").master == "10.9.9.9"
    assert invitation._replace(behind=(None, None)).settings_for("root@n2").master == "10.0.0.1"
    with pytest.raises(ProtocolDataError, match="n3 is not invited"):
        invitation.settings_for("n3")


def test_a_home_directory_is_that_of_the_target(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/there")
    assert Invitation(("n1",), b"~/{host}", b"").settings_for("n1").dest == b"/there/n1"
    assert Invitation(("n1",), b"~root/x", b"").settings_for("n1").dest == os.path.expanduser(b"~root/x")
    assert Invitation(("n1",), b"./~", b"").settings_for("n1").dest == b"./~"
    with pytest.raises(FileError, match="no home directory for the destination ~nobody-of-this-name/x"):
        Invitation(("n1",), b"~nobody-of-this-name/x", b"").settings_for("n1")


@pytest.mark.parametrize("line", [b"", b"[]", b"{}", b"\xff", b'{"dest": 1}', b'{"dest": "/", "secret": "zz"}'])
def test_other_lines_are_refused(line: bytes) -> None:
    with pytest.raises(ProtocolDataError, match="parameters on stdin"):
        Invitation.decode(line)


def test_unknown_field_is_refused() -> None:
    line = Invitation(("a",), b"/a", b"").encode().replace(b'"masters"', b'"wasters"')
    with pytest.raises(ProtocolDataError):
        Invitation.decode(line)


@pytest.mark.parametrize(
    ("part", "other"),
    [("[0]", "[1]"), ("[0]", "[-1]"), ("[0]", "[1e999]"), ("[0]", "[true]"), ("[0]", "[0, 0]"), ('["a"]', "[7]")],
)
def test_parts_of_an_invitation_fit_together(part: str, other: str) -> None:
    """Found by the fuzzer: the catcher ended with a traceback."""
    line = Invitation(("a",), b"/a", b"", masters=("10.0.0.1",), behind=(0,)).encode()
    Invitation.decode(line)
    with pytest.raises(ProtocolDataError, match="make no sense"):
        Invitation.decode(line.replace(part.encode(), other.encode()))


def test_dest_names_the_host() -> None:
    settings = CastSettings(b"/a", b"/b/{host}/c", ("n1",), None, b"")
    assert settings.dest_for("n1") == b"/b/n1/c"
    assert settings.dest_for("root@n1") == b"/b/n1/c"


def test_a_secret_of_its_own_survives_its_line() -> None:
    secret = draw_own_secrets(1)[0]
    line = encode_own_secret(secret)
    assert line.count(b"\n") == 1
    assert decode_own_secret(line) == secret
    invitation = Invitation(("n1",), b"/srv", b"secret", has_own_secrets=True)
    assert Invitation.decode(invitation.encode()).settings_for("n1", secret).own_secret == secret
    for damaged in (b"", b"\n", b"zz\n", line[2:], b"\xff\n"):
        with pytest.raises(ProtocolDataError, match="secret on stdin"):
            decode_own_secret(damaged)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"has_monitor": False}, "-x needs --rate"),
        ({"remote_shell": "local", "remote": Remote(directory="/opt")}, "are for other hosts, not for -r local"),
        ({"policy": Policy(deletes_excluded=True, deletes=False)}, "--no-delete contradict each other"),
        ({"policy": Policy(link_dests=("a",), copy_dests=("b",))}, "cannot be mixed"),
        ({"policy": Policy(link_dests=("a",) * 21)}, "more than 20 directories for --link-dest"),
        ({"policy": Policy(link_dests=("a",)), "selection": Selection(synclist=b"l")}, r"with --\*-dest"),
        ({"policy": Policy(keeps_dir_links=True), "selection": Selection(synclist=b"l")}, "with --keep-dirlinks"),
        ({"policy": Policy(inplace=True, commit="job")}, "--inplace cannot be combined with"),
        ({"policy": Policy(remove_first=True, backup=True)}, "-X cannot be combined with"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_settings_that_contradict_each_other_are_refused(changes: dict[str, Any], complaint: str) -> None:
    settings = CastSettings(b"/a", b"/b", ("n1",), "ssh", b"")
    assert settings.validated() is settings
    with pytest.raises(UsageError, match=complaint):
        settings._replace(**changes).validated()


def test_an_invitation_with_a_cut_key_is_refused() -> None:
    line = Invitation(("a",), b"/a", b"", verify_key=bytes(31)).encode()
    with pytest.raises(ProtocolDataError, match="a public key of a wrong length"):
        Invitation.decode(line)
