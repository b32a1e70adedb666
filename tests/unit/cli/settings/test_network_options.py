from __future__ import annotations

import pytest

from mrsync.cli.settings.options import parse_mrsync, parse_multicaster, parse_multicatcher
from mrsync.errors import UsageError
from mrsync.remote.keyfile import INSECURE_SECRET


def test_automatic_group_needs_launched_catchers(source: str, key: str) -> None:
    assert parse_mrsync(["-m", "a", "-s", source, "-A", "auto"])[0].network.group == "auto"
    with pytest.raises(UsageError, match="-A auto needs catchers that are started from here"):
        parse_multicaster(["-m", "a", "-s", source, "--key-file", key, "-A", "auto"])
    with pytest.raises(UsageError, match="-A auto needs catchers that are started from here"):
        parse_multicatcher(["-t", "/to", "-i", "1", "--key-file", key, "-A", "auto"])


def test_insecure_mode_is_announced(source: str) -> None:
    assert parse_multicaster(["-m", "a", "-s", source, "--insecure"])[0].secret == INSECURE_SECRET
    with pytest.raises(UsageError, match="--key-file --insecure is required"):
        parse_multicaster(["-m", "a", "-s", source])
    with pytest.raises(UsageError, match="required"):
        parse_multicatcher(["-t", "/to", "-i", "1"])


def test_unicast_is_for_both_ends(source: str, key: str) -> None:
    assert parse_mrsync(["-m", "a", "-s", source, "--unicast"])[0].network.is_unicast
    by_hand = ["-t", "/to", "-i", "1", "--key-file", key]
    settings = parse_multicatcher([*by_hand, "--master", "localhost", "-A", "239.9.9.9", "--unicast"])
    assert (settings.master, settings.network.is_unicast) == ("127.0.0.1", True)
    assert parse_multicatcher([*by_hand, "--master", "::1"]).master == "::1"
    assert parse_multicatcher(by_hand).master is None
    with pytest.raises(UsageError, match="--unicast needs --master"):
        parse_multicatcher([*by_hand, "--unicast"])
    with pytest.raises(UsageError, match="--master nobody"):
        parse_multicatcher([*by_hand, "--master", "nobody.invalid"])
