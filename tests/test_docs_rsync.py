"""docs/rsync.md has every option of rsync, and says what the parser does with it."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from mrsync.cli.registry.declared.foreign import FOREIGN, Foreign
from mrsync.cli.registry.rsync_form import make_rsync_parser
from mrsync.cli.settings.options import parse_mrsync
from mrsync.errors import UsageError
from release.documents import RSYNC_DOCUMENT
from release.rsync_table import covered, rsync_tables_filled

REFUSED = [foreign for foreign in FOREIGN if foreign.is_refused]
TAKEN = [foreign for foreign in FOREIGN if not foreign.is_refused]
VALUES = {"--stderr": "c", "--outbuf": "L", "--checksum-choice": "md5", "--debug": "del2"}  # 5 for all others


def test_the_tables_are_those_of_the_registry() -> None:
    assert RSYNC_DOCUMENT.read_text() == rsync_tables_filled(RSYNC_DOCUMENT.read_text()), "make them anew: ./run docs"


@pytest.mark.skipif(shutil.which("rsync") is None, reason="needs rsync")
def test_every_option_of_rsync_is_in_a_table() -> None:
    shown = subprocess.run(["rsync", "--help"], capture_output=True, text=True, check=True).stdout
    lines = [line.split("  ")[0] for line in shown.partition("\nOptions\n")[2].splitlines() if line.startswith("-")]
    names = {re.split("[= ]", name.strip())[0] for line in lines for name in line.split(",")}
    assert len(names) > 150
    assert names - covered() - {"--no-OPTION", "-h"} == set()


@pytest.mark.parametrize("foreign", REFUSED, ids=lambda each: each.names)
def test_refusals_name_the_reason(foreign: Foreign) -> None:
    for name in foreign.names.split():
        words = [name, "x"] if foreign.metavar else [name]
        with pytest.raises(UsageError, match=re.escape(foreign.why)):
            make_rsync_parser().parse_args([*words, "a", "b:/c"])


@pytest.mark.parametrize("foreign", TAKEN, ids=lambda each: each.names)
def test_options_that_are_always_on_are_accepted(foreign: Foreign) -> None:
    for name in foreign.names.split():
        words = [name, VALUES.get(foreign.names.split()[0], "5")] if foreign.metavar else [name]
        assert make_rsync_parser().parse_args([*words, "a", "b:/c"]).positionals == ["a", "b:/c"]


def test_negative_names_undo() -> None:
    parsed = make_rsync_parser().parse_args(["-aHXc", "--no-H", "--no-xattrs", "--no-c", "--no-D", "a", "b:/c"])
    assert not any((parsed.hard_links, parsed.xattrs, parsed.checksum, parsed.devices, parsed.specials, parsed.D))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("--timeout=0", {"ack_wait": 86400.0}),
        ("--timeout=5 --no-timeout", {"ack_wait": 60.0}),
        ("--bwlimit=5 --no-bwlimit", {"rate": None}),
        ("-vvv --no-v", {"verbose": 0, "lists_names": False}),
        ("--debug=none,del0", {"verbose": 0}),
        ("--debug=DEL3,none", {"verbose": 2}),
        ("-P --no-progress", {"progress": "none"}),
        ("-R --no-R", {"relative": False}),
        ("--time-limit=3", {"stop_after": 3.0}),
        ("--log-format=%i", {"out_format": "%i", "log_format": "text"}),
        ("--log-format=json", {"out_format": None, "log_format": "json"}),
        ("--stderr=errors --stderr=cli --outbuf=Block --outbuf=n --cc=xxh128,MD5 --max-alloc=1.5G", {}),
        ("--zl=-1", {"compress_level": 1}),
        ("--zl=99 --zc=ZSTD", {"compress_level": 22, "compress_choice": "zstd"}),
    ],
)
def test_odd_values_mean_what_they_mean_to_rsync(line: str, expected: dict[str, object]) -> None:
    parsed = vars(make_rsync_parser().parse_args([*line.split(), "a", "b:/c"]))
    assert {name: parsed[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("--debug=foo", "foo is unknown; --debug=help"),
        ("--stderr=all", "errors go to stderr, and lists of changes to stdout"),
        ("--stderr=x", "'x' is not one of errors or client"),
        ("--outbuf=", "'' is not one of N, L or B"),
        ("--log-format=xml", "'xml' is not one of text or json"),
        ("--cc=crc32", "'crc32' is not one of auto"),
        ("--checksum-seed=x", "'x' is not a whole number"),
        ("--block-size=x", "'x' is not a size"),
        ("--delete-delay --delete-after", "--delete-after: not allowed with argument --del"),
        ("--suffix=a/b", "give one without a slash"),
        ("--no-R --files-from=-", "--no-relative is not supported with --files-from"),
    ],
)
def test_values_that_rsync_refuses_are_refused(line: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=re.escape(sentence)):
        parse_mrsync([*line.split(), "/etc/", "b:/c"], reads_files=False)


def test_a_suffix_without_backups_has_no_effect_as_in_rsync() -> None:
    assert not parse_mrsync(["--suffix=.old", "/etc/", "b:/c"], reads_files=False)[0].policy.backup
