"""House rules that no linter knows: sizes, names, words, and no module without use."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
SOURCE = PROJECT / "src"
TESTS = PROJECT / "tests"

LINE_LENGTH_MAX = 120
MODULE_LINES_MAX = 500
FUNCTION_LINES_MAX = 60
VAGUE_NAMES = re.compile(r"(?i)util|helper|common|misc|manager")
# Left behind by someone in a hurry, or true on one machine only. Written so that this file does not match itself.
FORBIDDEN_WORDS = re.compile(r"TO[D]O\b|FIX[M]E\b|\bX[X]X\b|(?<![\w.])/[w]ork/|-index[-]url")
STARTED_BY_NAME = {"mrsync.__main__", "mrsync.cli.main", "mrsync.run.catch.catch"}


@cache
def committed_files() -> list[Path]:
    names = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=PROJECT, capture_output=True, check=True, text=True,
    ).stdout.split("\0")  # fmt: skip
    return [path for name in names if name and (path := PROJECT / name).is_file()]


def python_files() -> list[Path]:
    return [path for path in committed_files() if path.suffix == ".py"]


def relative(path: Path) -> str:
    return str(path.relative_to(PROJECT))


def overlong(source: str) -> Iterator[str]:
    """What is too large in one module."""
    lines = source.count("\n")
    if lines > MODULE_LINES_MAX:
        yield f"{lines} lines in a module"
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            if length > FUNCTION_LINES_MAX:
                yield f"{length} lines in {node.name}"


def lacks_future_annotations(source: str) -> bool:
    tree = ast.parse(source)
    needs = any(getattr(node, "annotation", None) or getattr(node, "returns", None) for node in ast.walk(tree))
    return needs and not any(isinstance(node, ast.ImportFrom) and node.module == "__future__" for node in tree.body)


@pytest.mark.parametrize("path", python_files(), ids=relative)
def test_module_is_tidy(path: Path) -> None:
    source = path.read_text()
    assert list(overlong(source)) == []
    assert not lacks_future_annotations(source)
    assert not VAGUE_NAMES.search(path.stem)
    classes = [node.name for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ClassDef)]
    assert [name for name in classes if VAGUE_NAMES.search(name)] == []


TEXTS = [path for path in committed_files() if path.suffix != ".png"]


@pytest.mark.parametrize("path", TEXTS, ids=relative)
def test_file_is_tidy(path: Path) -> None:
    text = path.read_text()
    assert [line for line in text.splitlines() if FORBIDDEN_WORDS.search(line)] == []
    assert text.endswith("\n") or not text
    assert [line for line in text.splitlines() if line != line.rstrip()] == []
    if path.suffix not in (".md", ".json", ".py", ".svg"):  # ruff knows about Python, and pictures are drawn
        assert [line for line in text.splitlines() if len(line) > LINE_LENGTH_MAX] == []


def test_every_module_is_used() -> None:
    words = {path: path.read_text() for path in python_files() if path.is_relative_to(SOURCE)}
    unused = []
    for path in words:
        module = ".".join(path.relative_to(SOURCE).with_suffix("").parts)
        package, _, name = module.rpartition(".")
        pattern = re.compile(rf"{re.escape(module)}\b|from {re.escape(package)} import .*\b{name}\b")
        is_imported = any(pattern.search(text) for other, text in words.items() if other != path)
        if name != "__init__" and module not in STARTED_BY_NAME and not is_imported:
            unused.append(module)
    assert unused == []


def test_unit_tests_mirror_the_modules() -> None:
    strays = []
    for path in (TESTS / "unit").rglob("test_*.py"):
        folder = path.relative_to(TESTS / "unit").parent
        if not (SOURCE / "mrsync" / folder / (path.name.removeprefix("test_"))).exists():
            strays.append(relative(path))
    assert strays == []


def test_planted_untidiness_is_found() -> None:
    assert list(overlong("x = 1\n" * (MODULE_LINES_MAX + 1)))
    assert list(overlong("def f():\n" + "    x = 1\n" * FUNCTION_LINES_MAX))
    assert lacks_future_annotations("def f() -> int: ...")
    assert FORBIDDEN_WORDS.search("# TO" + "DO: later")
