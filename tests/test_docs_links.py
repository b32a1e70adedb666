"""Links in README and docs lead somewhere, in the checkout and on a package index; decisions are numbered."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from hatch_build import with_absolute_links
from tests.docs.blocks import PROJECT, documents

LINK = re.compile(r"\]\((?![a-z]+:)([^)#\s]*)(#[^)\s]+)?\)")
SOURCE = PROJECT / "src" / "mrsync"
MODULE = re.compile(r"`([\w/]+(?:\.py|/))(?:: (\w+))?`")  # perhaps with the name of something in it
TESTS = PROJECT / "tests"
TEST_FILE = re.compile(r"`((?:\w+/)*test_\w+\.py)[`:]")  # below tests/
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def anchors(path: Path) -> set[str]:
    """Return the anchors that GitHub and mkdocs give to the headings of a document."""
    titles = (re.sub(r"[^\w\- ]", "", title.lower()).strip() for title in HEADING.findall(path.read_text()))
    return {"#" + title.replace(" ", "-") for title in titles}


def broken_links(path: Path) -> list[str]:
    """Return what a document links to and what is not there."""
    found = []
    for name, anchor in LINK.findall(path.read_text()):
        place = path.parent / name if name else path
        if not place.exists() or (anchor and anchor not in anchors(place)):
            found.append(f"{path}: {name}{anchor}")
    return found


def test_links_lead_somewhere() -> None:
    assert [link for path in documents() for link in broken_links(path)] == []


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    document = tmp_path / "page.md"
    document.write_text("# A page\n\n[here](#a-page) [nowhere](#no-page) [gone](gone.md)\n")
    assert [link.partition(": ")[2] for link in broken_links(document)] == ["#no-page", "gone.md"]


@pytest.mark.parametrize("name", ["architecture.md", "tour.md"])
def test_modules_that_are_named_exist(name: str) -> None:
    missing = []
    for module, member in MODULE.findall((PROJECT / "docs" / name).read_text()):
        places = [place for place in (SOURCE / module, PROJECT / module) if place.exists()]
        is_part = module in (
            "cast/",
            "catch/",
            "measure/",
            "verify/",
        )  # told below the name of the folder that they are in
        if not is_part and not (places and member in (places[0].read_text() if member else "")):
            missing.append(f"{module}: {member}")
    assert missing == []


def test_tests_that_are_named_exist() -> None:
    missing = []
    defined = {name for path in TESTS.rglob("*.py") for name in re.findall(r"def (test_\w+)", path.read_text())}
    for document in documents():
        text = document.read_text()
        missing += [path for path in TEST_FILE.findall(text) if not any((f / path).exists() for f in (TESTS, PROJECT))]
        missing += [name for name in re.findall(r"`(?:[\w/.]+:{1,2} ?)?(test_\w+)`", text) if name not in defined]
    assert missing == []


def test_links_of_the_readme_are_whole_on_a_package_index() -> None:
    home = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["urls"]["Source"]
    text = with_absolute_links((PROJECT / "README.md").read_text(), home)
    assert LINK.findall(text) == []
    assert f"]({home}/raw/main/docs/mrsync.svg)" in text
    assert f"]({home}/blob/main/docs/cli.md#multicaster-and-multicatcher)" in text


def test_every_decision_has_a_number_of_its_own() -> None:
    folder = PROJECT / "docs" / "decisions"
    names = sorted(path.name for path in folder.glob("[0-9]*.md"))
    numbers = [int(name.split("-")[0]) for name in names]
    assert sorted(set(numbers)) == numbers
    titles = [(folder / name).read_text().partition("\n")[0] for name in names]
    assert [title.split(".")[0] for title in titles] == [f"# {number}" for number in numbers]
