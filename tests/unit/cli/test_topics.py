from __future__ import annotations

import re
import subprocess

import pytest

from mrsync.cli.registry.declared.foreign import FOREIGN
from mrsync.cli.registry.option import SECTIONS
from mrsync.cli.registry.options import OPTIONS, PROGRAMS
from mrsync.cli.registry.parser import make_parser
from mrsync.cli.topics import help_on
from mrsync.errors import UsageError
from tests.programs import program


def explained(*topics: str) -> str:
    return "\n".join(help_on(topics))


@pytest.mark.parametrize("topic", ["commit", "--commit"])
def test_an_option_is_explained_with_or_without_dashes(topic: str) -> None:
    text = explained(topic)
    assert text.startswith(
        "--commit file|each|end|job    (mrsync, multicaster)\n        when a file is put into place."
    )


def test_a_letter_means_an_option_of_each_program() -> None:
    text = explained("-s")
    assert "--source" in text
    assert "--size" in text


def test_a_letter_of_rsync_is_explained_beside_that_of_4_0_1() -> None:
    text = explained("-X")
    assert "(mrsync, in rsync's form)" in text
    assert "(mrsync, multicaster)" in text or "(mrsync)" in text
    for topic in ("-a", "--archive", "--del", "delete-during"):
        assert "(mrsync, in rsync's form)" in explained(topic)
    assert "refused: SOURCE is never changed" in explained("remove-source-files")
    assert "rsync's form" not in explained("--checksum")  # it means the same there


def test_every_option_of_rsync_has_help() -> None:
    names = [name for foreign in FOREIGN for name in foreign.names.split()]
    assert all(explained(name) for name in names)
    assert not set(names) - set(re.findall(r"(?<![\w-])--?[\w-]+", explained("rsync")))


def test_a_section_a_command_and_the_statuses() -> None:
    assert explained("deletion").count("\n--") >= 2
    assert explained("doctor").startswith("usage: mrsync doctor")
    assert "30  every target was lost" in explained("exit") == explained("exit status")
    assert explained("30").startswith("  30  every target was lost")


@pytest.mark.parametrize(
    "topic", [*(option.key for option in OPTIONS), *SECTIONS, *(name.split()[-1] for name in PROGRAMS)]
)
def test_everything_has_help(topic: str) -> None:
    assert explained(topic)


def test_help_fits_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Longer lines would be broken within a word."""
    monkeypatch.setenv("COLUMNS", "80")
    texts = [explained(), explained("exit"), explained("deletion")]
    texts += [make_parser(name, has_all=has_all).format_help() for name in PROGRAMS for has_all in (False, True)]
    assert [line for text in texts for line in text.splitlines() if len(line) > 80] == []


def test_without_a_topic_they_are_listed() -> None:
    assert "an option" in explained()


def test_the_topic_that_was_meant_is_named() -> None:
    with pytest.raises(UsageError, match="there is no help on comit; did you mean commit"):
        explained("comit")


def test_options_that_speak_of_an_unknown_topic_are_named() -> None:
    for topic in ("firewall", "firewalls"):
        with pytest.raises(UsageError, match=rf"there is no help on {topic}; options that mention it: --port \(see"):
            explained(topic)


@pytest.mark.parametrize("topic", ["demo", "completion", "config", "help", "filelist"])
def test_every_command_of_the_usage_has_help(topic: str) -> None:
    assert explained(topic).startswith("usage: ")


def test_a_command_that_is_an_option_too_is_explained_as_both() -> None:
    assert explained("config").startswith("usage: mrsync config --show")
    assert "\n--config FILE" in explained("config")


def test_small_commands_know_the_option_for_help() -> None:
    done = subprocess.run(program("mrsync", "completion", "--help"), capture_output=True, text=True, check=True)
    assert done.stdout == explained("completion") + "\n"


def test_mrsync_help_prints_a_topic() -> None:
    done = subprocess.run(program("mrsync", "help", "exit"), capture_output=True, text=True, check=True)
    assert "every target was lost" in done.stdout
