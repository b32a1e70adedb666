"""docs/rsync.md has every option of rsync, and says what the parser does with it."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from mrsync.cli.registry.declared.foreign import FOREIGN, Foreign
from mrsync.cli.registry.rsync_form import make_rsync_parser
from mrsync.errors import UsageError
from release.documents import RSYNC_DOCUMENT
from release.rsync_table import covered, rsync_tables_filled

REFUSED = [foreign for foreign in FOREIGN if foreign.is_refused]
TAKEN = [foreign for foreign in FOREIGN if not foreign.is_refused]


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
        words = [name, "x"] if foreign.metavar else [name]
        assert make_rsync_parser().parse_args([*words, "a", "b:/c"]).positionals == ["a", "b:/c"]


def test_negative_names_undo() -> None:
    parsed = make_rsync_parser().parse_args(["-aHXc", "--no-H", "--no-xattrs", "--no-c", "--no-D", "a", "b:/c"])
    assert not any((parsed.hard_links, parsed.xattrs, parsed.checksum, parsed.devices, parsed.specials, parsed.D))
