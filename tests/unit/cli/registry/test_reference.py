from __future__ import annotations

import shutil
import subprocess

import pytest

from mrsync.cli.registry.option import MULTICATCHER
from mrsync.cli.registry.options import PROGRAMS, options_of
from mrsync.cli.registry.reference import filled, man_page, option_table


def test_a_table_has_a_row_for_each_option() -> None:
    table = option_table(MULTICATCHER, ("network",)).splitlines()
    assert table[2].startswith("| `-A, --multicast-group, --group A` | the multicast group")
    assert len(table) == 2 + len([option for option in options_of(MULTICATCHER) if option.section == "network"])


def test_only_the_text_between_the_comments_is_replaced() -> None:
    text = "before\n<!-- options of multicatcher: backups -->\nold\n<!-- end of options -->\nafter\n"
    made = filled(text)
    assert made.startswith("before\n<!-- options of multicatcher: backups -->\n| option | meaning |\n")
    assert made.endswith("|\n<!-- end of options -->\nafter\n")
    assert "old" not in made
    assert filled(made) == made


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_man_page_has_every_option(program: str) -> None:
    page = man_page(program)
    names = [name.replace("-", "\\-") for option in options_of(program) for name in option.all_names(program)]
    assert [name for name in names if f"\\fB{name}\\fR" not in page] == []


def test_the_man_page_says_that_it_deletes() -> None:
    description = man_page("mrsync").partition(".SH DESCRIPTION\n")[2].partition(".SH")[0]
    assert "is deleted there, unless \\-\\-no\\-delete is given" in description


@pytest.mark.skipif(shutil.which("man") is None, reason="needs man")
@pytest.mark.parametrize("program", PROGRAMS)
def test_man_understands_it(program: str) -> None:
    command = ["man", "--warnings", "--encoding=utf8", "--local-file", "-"]
    done = subprocess.run(command, input=man_page(program), capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert "SYNOPSIS" in done.stdout
