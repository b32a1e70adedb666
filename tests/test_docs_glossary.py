"""One word per thing: no two public classes and no two modules have the same name, but where the glossary says why."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

PROJECT = Path(__file__).parents[1]
SOURCE = PROJECT / "src" / "mrsync"
GLOSSARY = PROJECT / "docs" / "glossary.md"
SHARED_NAME = re.compile(r"^\| `(\w+)` \| (.*?) \|", re.MULTILINE)  # and where
WORDS = re.compile(r"^\| \*\*(.+?)\*\* \|", re.MULTILINE)
ALWAYS_SHARED = {"__init__", "__main__"}


def public_classes(source: str) -> list[str]:
    """Return the names of the public classes at the top of a module."""
    nodes = ast.parse(source).body
    return [node.name for node in nodes if isinstance(node, ast.ClassDef) and not node.name.startswith("_")]


def public_aliases(source: str) -> list[str]:
    """Return the names of a module's public types that are no classes, such as `Pair = tuple[int, int]`."""
    nodes = [node for node in ast.parse(source).body if isinstance(node, ast.Assign)]
    names = [target.id for node in nodes for target in node.targets if isinstance(target, ast.Name)]
    return [name for name in names if re.match("[A-Z]+[a-z]", name)]


def shared(names: dict[str, list[str]]) -> dict[str, list[str]]:
    """Return only what has several places."""
    return {name: sorted(places) for name, places in names.items() if len(places) > 1}


def test_no_two_public_classes_have_the_same_name() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for path in SOURCE.rglob("*.py"):
        for name in public_classes(path.read_text()):
            places[name].append(str(path.relative_to(SOURCE)))
    assert shared(places) == {}


def test_no_other_type_has_the_name_of_a_public_class() -> None:
    sources = [path.read_text() for path in SOURCE.rglob("*.py")]
    classes = {name for source in sources for name in public_classes(source)}
    assert classes.isdisjoint(name for source in sources for name in public_aliases(source))


def test_the_glossary_explains_all_modules_with_the_same_name() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for path in SOURCE.rglob("*.py"):
        if path.stem not in ALWAYS_SHARED:
            places[path.stem].append(f"{path.parent.relative_to(SOURCE)}/")
    explained = {
        name: sorted(re.findall("`(.+?)`", where)) for name, where in SHARED_NAME.findall(GLOSSARY.read_text())
    }
    found = shared(places)
    assert set(found) == set(explained), "rename, or explain it there"
    for name, folders in explained.items():
        assert len(folders) == len(found[name])
        assert all(any(place.startswith(folder) for place in found[name]) for folder in folders), name


def test_every_word_of_the_glossary_is_one_of_the_code() -> None:
    code = "\n".join(path.read_text() for path in SOURCE.rglob("*.py")).lower()
    words = [word for row in WORDS.findall(GLOSSARY.read_text()) for word in row.split(", ")]
    assert len(words) > 50
    assert [word for word in words if not re.search(rf"(?<![a-z]){word.lower().replace(' ', '[ _-]')}", code)] == []


def test_a_second_class_of_the_same_name_is_found() -> None:
    assert public_classes("class Verdict: ...\nclass _Part: ...\n") == ["Verdict"]
    assert public_aliases("Pair = tuple[int, int]\n_Pair = tuple[int, int]\nMOST = 3\n") == ["Pair"]
    assert shared({"Verdict": ["b.py", "a.py"], "Round": ["c.py"]}) == {"Verdict": ["a.py", "b.py"]}
