"""docs/cli.md says what the registry of options says, and nothing else."""

from __future__ import annotations

import re

from mrsync.cli.registry.options import OPTIONS
from mrsync.cli.registry.reference import filled
from release.documents import DOCUMENT

OPTION = re.compile(r"(?<![\w-])--[a-z0-9][a-z0-9-]*")
OF_OTHERS = {"--show", "--link-dest", "--help", "--version"}  # spoken of as rsync's, or every program's


def test_the_tables_are_those_of_the_registry() -> None:
    assert DOCUMENT.read_text() == filled(DOCUMENT.read_text()), "make them anew with ./run docs"


def test_every_option_is_documented() -> None:
    documented = set(OPTION.findall(DOCUMENT.read_text()))
    names = {name for option in OPTIONS for program in option.programs for name in option.all_names(program)}
    assert {name for name in names if name.startswith("--")} - documented == set()


def test_every_documented_option_exists() -> None:
    known = {name for option in OPTIONS for program in option.programs for name in option.all_names(program)}
    assert set(OPTION.findall(DOCUMENT.read_text())) - known - OF_OTHERS == set()
