"""One word per thing: no two public classes and no two modules have the same name, but where the glossary says why."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

PROJECT = Path(__file__).parents[1]
SOURCE = PROJECT / "src" / "mrsync"
GLOSSARY = PROJECT / "docs" / "glossary.md"
SHARED_NAME = re.compile(r"^\| `(\w+)` \| ", re.MULTILINE)
ALWAYS_SHARED = {"__init__", "__main__"}


def public_classes(source: str) -> list[str]:
    """Return the names of the public classes at the top of a module."""
    nodes = ast.parse(source).body
    return [node.name for node in nodes if isinstance(node, ast.ClassDef) and not node.name.startswith("_")]


def shared(names: dict[str, list[str]]) -> dict[str, list[str]]:
    """Return only what has several places."""
    return {name: sorted(places) for name, places in names.items() if len(places) > 1}


def test_no_two_public_classes_have_the_same_name() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for path in SOURCE.rglob("*.py"):
        for name in public_classes(path.read_text()):
            places[name].append(str(path.relative_to(SOURCE)))
    assert shared(places) == {}


def test_modules_with_the_same_name_are_explained_by_the_glossary() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for path in SOURCE.rglob("*.py"):
        if path.stem not in ALWAYS_SHARED:
            places[path.stem].append(str(path.parent.relative_to(SOURCE)))
    assert set(shared(places)) - set(SHARED_NAME.findall(GLOSSARY.read_text())) == set(), "rename, or explain it there"


def test_a_second_class_of_the_same_name_is_found() -> None:
    assert public_classes("class Verdict: ...\nclass _Part: ...\n") == ["Verdict"]
    assert shared({"Verdict": ["b.py", "a.py"], "Round": ["c.py"]}) == {"Verdict": ["a.py", "b.py"]}
