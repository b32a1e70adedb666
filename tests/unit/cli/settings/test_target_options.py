from __future__ import annotations

import socket
from pathlib import Path

import pytest

from mrsync.cli.settings.options import parse_mrsync
from mrsync.run.observer import Notice
from mrsync.run.settings import Remote


def test_the_way_to_the_targets(source: str, tmp_path: Path) -> None:
    topology = tmp_path / "topology"
    topology.touch()
    common = ["-m", "n[1-5],m", "-s", source, "--exclude-target", "n[2-3],m"]
    settings, _ = parse_mrsync([*common, "-r", "ssh -p 2222", "--fanout", "9", "--connect-timeout", "2.5"])
    assert settings.targets == ("n1", "n4", "n5")
    assert settings.remote_shell == "ssh -p 2222"
    assert settings.remote == Remote(fanout=9, connect_timeout_s=2.5)
    settings, _ = parse_mrsync([*common, "-b", "/opt/bin", "--topology", str(topology)])
    assert settings.remote == Remote(directory="/opt/bin", topology=str(topology))
    settings, _ = parse_mrsync([*common, "--remote-python", "python3.11"])
    assert settings.remote == Remote(python="python3.11")


@pytest.mark.parametrize(
    ("words", "remarks"),
    [
        ("-m web1", ["web1 is a file, so targets are read from it; write ./web1 to say so, or 'web1,' for a host"]),
        ("-m a,b --exclude-target web1", ["web1 is a file"]),
        (
            "-m web1 -l rules",
            ["web1 is a file", "patterns are read from the file rules, which SOURCE lacks; write -l ./rules"],
        ),
        ("-m ./web1 -l ./rules", []),
        ("-m web1,", []),
        ("-m all.ini", []),
        ("-m web1,a -l file,rules", []),
    ],
)
def test_a_file_that_counts_more_than_a_host_or_pattern_is_told(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str, remarks: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in (("web1", "a\nc\n"), ("rules", "*.c\n"), ("all.ini", "a\n"), ("source/file", "")):
        (tmp_path / name).write_text(text)
    told = parse_mrsync([*words.split(), "-s", source])[1].remarks
    assert len(told) == len(remarks)
    assert all(part in remark.text for part, remark in zip(remarks, told, strict=True))


def test_this_host_is_left_out_unless_it_is_meant(source: str) -> None:
    own = socket.gethostname()
    assert parse_mrsync(["-m", f"a,{own}", "-s", source])[1].remarks == (
        Notice(0, "left out, because it is this host", own),
    )
    settings, output = parse_mrsync(["-m", f"a,{own}", "-s", source, "-t", "/tmp/{host}", "-r", "local"])
    assert settings.targets == ("a", own)
    assert output.remarks == ()
    assert settings.network.has_loop
