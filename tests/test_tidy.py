"""House rules that no linter knows: sizes, names, words, and no module without use."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from functools import cache, lru_cache
from pathlib import Path

from mrsync.cli.settings.output_options import Output
from mrsync.run.settings import CastSettings, CatchSettings, DoctorSettings, Network, Remote, RttSettings
from mrsync.run.verify.verify import VerifySettings
from mrsync.tree.model.policy import Policy
from mrsync.tree.source.selection import Selection

PROJECT = Path(__file__).parents[1]
SOURCE = PROJECT / "src"
TESTS = PROJECT / "tests"

LINE_LENGTH_MAX = 120
MODULE_LINES_MAX = 500
FUNCTION_LINES_MAX = 40
TEST_LINES_MAX = 60  # of a function of the tests
VAGUE_NAMES = re.compile(r"(?i)util|helper|common|misc|manager")
# Left behind by someone in a hurry, or true on one machine only. Written so that this file does not match itself.
FORBIDDEN_WORDS = re.compile(r"TO[D]O\b|FIX[M]E\b|\bX[X]X\b|(?<![\w.])/[w]ork/|-index[-]url")
NAMED = re.compile(r"\bmrsync(?:\.\w+)+")
IMPORTED = re.compile(r"from (mrsync[\w.]*) import (.*)")
STARTED_BY_NAME = {"mrsync.__main__", "mrsync.cli.main"}


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


@lru_cache(maxsize=1)
def nodes(source: str) -> list[ast.AST]:
    """Return all nodes of a module. They are walked several times, and walking takes as long as parsing."""
    return list(ast.walk(ast.parse(source)))


def overlong(source: str, function_lines_max: int = FUNCTION_LINES_MAX) -> Iterator[str]:
    """Yield what is too large in one module."""
    lines = source.count("\n")
    if lines > MODULE_LINES_MAX:
        yield f"{lines} lines in a module"
    for node in nodes(source):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            if length > function_lines_max:
                yield f"{length} lines in {node.name}"


def lacks_future_annotations(source: str) -> bool:
    needs = any(getattr(node, "annotation", None) or getattr(node, "returns", None) for node in nodes(source))
    imports = (node for node in nodes(source) if isinstance(node, ast.ImportFrom))
    return needs and not any(node.module == "__future__" for node in imports)


def untidy_module(path: Path) -> Iterator[str]:
    """Yield what is wrong with a Python file."""
    source = path.read_text()
    yield from overlong(source, FUNCTION_LINES_MAX if path.is_relative_to(SOURCE) else TEST_LINES_MAX)
    if lacks_future_annotations(source):
        yield "no annotations from __future__"
    classes = [node.name for node in nodes(source) if isinstance(node, ast.ClassDef)]
    yield from (f"the name {name} is vague" for name in (path.stem, *classes) if VAGUE_NAMES.search(name))


def untidy_text(path: Path) -> Iterator[str]:
    """Yield what is wrong with a text file."""
    text = path.read_text()
    for number, line in enumerate(text.splitlines(), 1):
        if FORBIDDEN_WORDS.search(line):
            yield f"line {number} has a forbidden word: {line}"
        if line != line.rstrip():
            yield f"line {number} ends in blanks"
        # ruff knows about Python, and pictures are drawn
        if path.suffix not in (".md", ".json", ".py", ".svg") and len(line) > LINE_LENGTH_MAX:
            yield f"line {number} is too long"
    if text and not text.endswith("\n"):
        yield "the last line has no end"


def overlong_prose(text: str) -> Iterator[int]:
    """Yield the numbers of lines of a document that are too long, and are no code, table or picture."""
    is_code = False
    for number, line in enumerate(text.splitlines(), 1):
        is_code ^= line.lstrip().startswith("```")
        if len(line) > LINE_LENGTH_MAX and not is_code and not line.lstrip().startswith(("|", "![", "<")):
            yield number


def test_modules_are_tidy() -> None:
    assert [f"{relative(path)}: {problem}" for path in python_files() for problem in untidy_module(path)] == []


def test_files_are_tidy() -> None:
    texts = [path for path in committed_files() if path.suffix != ".png"]
    assert [f"{relative(path)}: {problem}" for path in texts for problem in untidy_text(path)] == []


def test_documents_are_wrapped() -> None:
    documents = [path for path in committed_files() if path.suffix == ".md"]
    assert [f"{relative(path)}:{number}" for path in documents for number in overlong_prose(path.read_text())] == []


def test_every_module_is_used() -> None:
    words = {path: path.read_text() for path in python_files() if path.is_relative_to(SOURCE)}
    named: dict[str, set[Path]] = {}  # module -> where its name stands
    for path, text in words.items():
        for module in NAMED.findall(text):
            named.setdefault(module, set()).add(path)
        for package, names in IMPORTED.findall(text):
            for name in re.findall(r"\w+", names):
                named.setdefault(f"{package}.{name}", set()).add(path)
    unused = []
    for path in words:
        module = ".".join(path.relative_to(SOURCE).with_suffix("").parts)
        if path.name != "__init__.py" and module not in STARTED_BY_NAME and not named.get(module, set()) - {path}:
            unused.append(module)
    assert unused == []


def settings_fields() -> dict[str, list[str]]:
    """The fields of each class of settings that an option can set."""
    classes = (CastSettings, CatchSettings, DoctorSettings, RttSettings, VerifySettings)
    parts = (Network, Output, Policy, Remote, Selection)
    return {each.__name__: list(each._fields) for each in (*classes, *parts)}


def test_every_setting_is_obeyed() -> None:
    """An option that is declared and stored, and then forgotten, would be accepted without effect."""
    read = {
        node.attr
        for path in python_files()
        if path.is_relative_to(SOURCE)
        for node in nodes(path.read_text())
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)
    }
    ignored = {name: set(fields) - read for name, fields in settings_fields().items() if set(fields) - read}
    assert ignored == {}


def absent_modules(package: Path) -> list[str]:
    """Return the modules that the docstring of a package names, and that are not there."""
    text = ast.get_docstring(ast.parse((package / "__init__.py").read_text())) or ""
    names = re.findall(r"`([a-z_0-9]+)`", text)
    return [
        name for name in names if not (package / name).with_suffix(".py").exists() and not (package / name).is_dir()
    ]


def test_packages_describe_modules_that_they_have() -> None:
    packages = [path.parent for path in python_files() if path.name == "__init__.py" and path.is_relative_to(SOURCE)]
    absent = {relative(package): names for package in packages if (names := absent_modules(package))}
    assert absent == {}


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
    long = "word " * LINE_LENGTH_MAX
    assert list(overlong_prose(f"{long}\n| {long} |\n```\n{long}\n```\n{long}\n")) == [1, 6]
    assert FORBIDDEN_WORDS.search("# TO" + "DO: later")
