from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter

import pytest

from mrsync.cli.registry.option import MRSYNC, SECTIONS
from mrsync.cli.registry.options import OPTIONS, PROGRAMS, fields_of, options_of
from mrsync.cli.registry.parser import make_parser
from mrsync.run.settings import CastSettings, Remote
from mrsync.tree.model.policy import Policy
from mrsync.tree.source.selection import Selection

OWNERS = {"policy": Policy, "selection": Selection, "remote": Remote, "settings": CastSettings}


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_name_means_one_option(program: str) -> None:
    names = Counter(name for option in options_of(program) for name in option.all_names(program))
    assert [name for name, count in names.items() if count > 1] == []


def test_every_option_has_a_section_and_a_program() -> None:
    assert {option.section for option in OPTIONS} == set(SECTIONS)
    assert all(set(option.programs) <= set(PROGRAMS) for option in OPTIONS)
    assert all(option.programs for option in OPTIONS)


def test_help_is_one_line_without_a_full_stop() -> None:
    assert [option.flags for option in OPTIONS if option.help.endswith(".") or "\n" in option.help] == []
    assert [option.flags for option in OPTIONS if option.manual.endswith(".")] == []


@pytest.mark.parametrize("owner", OWNERS)
def test_fields_exist_and_have_the_same_defaults(owner: str) -> None:
    given = fields_of(MRSYNC, owner, make_parser(MRSYNC).parse_args([]))
    defaults = OWNERS[owner]._field_defaults  # type: ignore[attr-defined]
    assert given.keys() <= defaults.keys()
    assert {name: defaults[name] for name in given} == given


@pytest.mark.skipif(shutil.which("rsync") is None, reason="needs rsync")
def test_options_named_as_those_of_rsync_exist_there() -> None:
    shown = subprocess.run(["rsync", "--help"], capture_output=True, text=True, check=True).stdout
    known = set(re.findall(r"(?<![\w-])--?[\w@-]+", shown))
    said = {name for option in OPTIONS for name in option.rsync.split()}
    assert len(said) > 60
    assert said - known == set()
