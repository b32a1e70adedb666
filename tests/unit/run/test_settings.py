from __future__ import annotations

import pytest

from mrsync.errors import ProtocolDataError
from mrsync.run.settings import CastSettings, CatchSettings, Network

NETWORK = Network("239.1.2.3", 9000, ttl=3, has_loop=True, interface="eth7")


def test_catch_settings_survive_the_line() -> None:
    settings = CatchSettings(7, "node7", b"/srv/\xff\n", bytes(range(32)), NETWORK, 2, has_master=True)
    line = settings.encode()
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert CatchSettings.decode(line) == settings


@pytest.mark.parametrize("line", [b"", b"[]", b"{}", b"\xff", b'{"dest": 1}', b'{"dest": "/", "secret": "zz"}'])
def test_other_lines_are_refused(line: bytes) -> None:
    with pytest.raises(ProtocolDataError, match="parameters on stdin"):
        CatchSettings.decode(line)


def test_unknown_field_is_refused() -> None:
    line = CatchSettings(0, "a", b"/a", b"").encode().replace(b'"host"', b'"ghost"')
    with pytest.raises(ProtocolDataError):
        CatchSettings.decode(line)


def test_dest_names_the_host() -> None:
    settings = CastSettings(b"/a", b"/b/{host}/c", ("n1",), None, b"")
    assert settings.dest_for("n1") == b"/b/n1/c"
