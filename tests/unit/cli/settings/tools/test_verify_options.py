"""doctor and verify take TARGETS:DEST, as rsync's form does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from mrsync.cli.settings.tools.doctor_options import parse_doctor
from mrsync.cli.settings.tools.verify_options import parse_verify
from mrsync.errors import UsageError

BOTH = pytest.mark.parametrize("parse", [parse_doctor, parse_verify])
Parse = Callable[[Sequence[str]], tuple[Any, Any]]


@BOTH
@pytest.mark.parametrize(
    ("line", "targets", "dest"),
    [
        ("node[1-2]:/srv/data", ["node1", "node2"], b"/srv/data"),
        ("--quiet sam@a,b:work/ -v 1", ["sam@a", "b"], b"work/"),
        ("[fd00::7]:/x", ["fd00::7"], b"/x"),
        ("a:", ["a"], b"."),
    ],
)
def test_targets_and_dest_stand_in_one_word(parse: Parse, line: str, targets: list[str], dest: bytes) -> None:
    settings, _ = parse(line.split())
    assert (list(settings.targets), settings.dest) == (targets, dest)
    settings, _ = parse([*line.split(), "--rsh", "local"])
    assert settings.dest == dest


@BOTH
@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("a:/x -m b", "TARGETS:DEST cannot be combined with -m or -t"),
        ("a:/x --dest /y", "TARGETS:DEST cannot be combined with -m or -t"),
        ("a:/x b:/y", "a:/x b:/y: give one TARGETS:DEST"),
        ("a::module", "not by an rsync daemon"),
        ("a:/x,b:/y", "list all targets before one colon"),
        ("-m a -t /x b", "unexpected: b; TARGETS are given by -m"),
    ],
)
def test_a_wrong_place_gets_a_sentence(parse: Parse, line: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        parse(line.split())


def test_a_missing_option_is_named() -> None:
    with pytest.raises(UsageError, match=r"^-t/--dest is missing \(see"):
        parse_verify(["-m", "a"])
