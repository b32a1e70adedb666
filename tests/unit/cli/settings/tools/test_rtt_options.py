from __future__ import annotations

from pathlib import Path

import pytest

from mrsync.cli.settings.tools.rtt_options import parse_rtt, parse_rttcatcher
from mrsync.errors import UsageError
from mrsync.remote.keyfile import INSECURE_SECRET
from mrsync.run.settings import RTT_GROUPS, Network, Remote


def test_the_command_line_of_4_0_1() -> None:
    line = "-r rsh -m target -n 500 -s 64512 -p /opt/mrsync -v 1 -A 239.1.2.3 -P 7000 -T 2"
    settings, output = parse_rtt(line.split())
    assert (settings.targets, settings.remote_shell, settings.pages, settings.page_bytes) == (
        ("target",),
        "rsh",
        500,
        64512,
    )
    assert settings.network == Network("239.1.2.3", 7000, ttl=2)
    assert settings.remote.directory == "/opt/mrsync"
    assert (output.verbosity, output.is_json, output.progress, output.remarks) == (1, False, "auto", ())


def test_the_shortest_command_line() -> None:
    settings, _ = parse_rtt(["-m", "node[1-3]"])
    assert settings.targets == ("node1", "node2", "node3")
    assert (settings.remote_shell, settings.pages, settings.page_bytes) == ("ssh", 1000, 64000)
    assert settings.network == Network(None, 7900)
    assert settings.remote == Remote()
    assert len(settings.secret) == 32
    assert settings.secret != parse_rtt(["-m", "a"])[0].secret


def test_catchers_that_were_started_by_hand(tmp_path: Path) -> None:
    settings, _ = parse_rtt(["-m", "localhost", "--insecure"])
    assert (settings.remote_shell, settings.secret, settings.targets) == (None, INSECURE_SECRET, ("localhost",))
    catch = parse_rttcatcher(["-i", "4", "--insecure", "-I", "lo"])
    assert (catch.target, catch.secret, catch.has_master) == (4, INSECURE_SECRET, False)
    assert catch.network == Network(None, 7900, interface="lo")


def test_the_groups_of_rtt_are_its_own() -> None:
    assert RTT_GROUPS == ("239.255.67.200", "ff15::efff:43c8")


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("-n 5", "TARGETS is missing"),
        ("-m a -n 0", "'0' is not a number of pages from 1 to 1000000"),
        ("-m a -s 64513", "'64513' is not a size of a page in bytes from 1 to 64512"),
        ("-m a -s x", "'x' is not a size"),
        ("-m a -r ssh --insecure", "not allowed with"),
        ("-m a -r local -p /opt", "are for other hosts"),
        ("-m a --source x", "there is no option --source"),
    ],
)
def test_bad_usage_is_one_sentence(line: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        parse_rtt(line.split())
