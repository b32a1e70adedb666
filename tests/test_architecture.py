"""The layers of src/mrsync, enforced: who may import whom, and what code for targets may use."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src"

LAYERS = {
    "c_library": set[str](),
    "errors": set[str](),
    "escaping": set[str](),
    "files": set[str](),
    "ranges": set[str](),
    "spelling": set[str](),
    "tuples": set[str](),
    "wire": {"tuples", "escaping", "errors"},
    "tree": {"c_library", "tuples", "ranges", "files", "escaping", "errors"},
    "remote": {"tuples", "files", "spelling", "escaping", "errors"},
    "protocol": {"wire", "tuples", "ranges", "escaping", "errors"},
    "transport": {"protocol", "wire", "c_library", "tuples", "escaping", "errors"},
    "run": {
        *("transport", "protocol", "wire", "tree", "remote"),
        *("c_library", "tuples", "ranges", "files", "escaping", "errors"),
    },
    "cli": {
        *("run", "transport", "protocol", "wire", "tree", "remote"),
        *("tuples", "files", "spelling", "escaping", "errors"),
    },
    "api": {"cli", "run", "errors"},
}
# Sub-packages of a layer, from the bottom up: a module imports from its own and from those before it.
SUBPACKAGES = {
    "wire": ("", "seals", "formats"),
    "tree": ("model", "filter", "fs", "source", "lists", "destination", "compare", "staging", "delta", "record"),
    "protocol": ("core", "pace", "sending", "targets", "receiving", ""),
    "cli": ("registry", "output", "settings", ""),
    "transport": ("network", "pages", ""),
    "run": ("", "catch", "cast", "measure", "verify"),  # "": modules right in the folder
}
SIDEWAYS = {
    ("run.launch", "run.catch.catch"),  # the program that it starts on targets
}
FOLDER_FILES_MAX = 16
PURE = {"wire", "protocol"}
IMPURE = {"time", "os", "random", "socket", "select", "selectors", "threading", "subprocess", "pathlib", "io"}
FOREIGN = {
    "wire": {"cryptography"},
    "transport": {"compression", "zstandard"},  # only where they are there
    "remote": {"ClusterShell", "yaml"},
    "cli": {"rich", "ClusterShell"},
}
NAMED_TUPLE = re.compile(r"^ *from typing import .*\bNamedTuple\b", re.MULTILINE)
TARGET_PYTHON = (3, 9)
CATCHERS = (
    "mrsync.run.catch.catch",
    "mrsync.run.measure.rttcatch",
    "mrsync.run.measure.probe",
    "mrsync.run.verify.verifier",
)  # what is pushed to targets


@cache
def imported_modules(source: str, module: str, *, is_package: bool) -> tuple[str, ...]:
    """Return the absolute names of all that a module imports, anywhere in it, type-checking blocks included."""
    return tuple(_imports(source, module, is_package=is_package))


def _imports(source: str, module: str, *, is_package: bool) -> Iterator[str]:
    package = module.split(".") if is_package else module.split(".")[:-1]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            origin = ".".join([*base, *([node.module] if node.module else [])])
            yield origin
            yield from (f"{origin}.{alias.name}" for alias in node.names if origin.split(".")[0] == "mrsync")


def violations(source: str, module: str, *, is_package: bool = False) -> list[str]:
    """What a module imports and must not, one sentence each."""
    layer = module.split(".")[1] if "." in module else ""
    found = []
    for name in imported_modules(source, module, is_package=is_package):
        top, *rest = name.split(".")
        if top == "mrsync":
            inner = rest[0] if rest else ""
            if inner in LAYERS and layer in LAYERS and inner != layer and inner not in LAYERS[layer]:
                found.append(f"{module} ({layer}) imports {name}")
        elif top not in sys.stdlib_module_names and top not in FOREIGN.get(layer, ()):
            found.append(f"{module} imports {name}, which is not in the standard library")
        elif layer in PURE and top in IMPURE:
            found.append(f"{module} is pure but imports {name}")
    if module != "mrsync.tuples" and NAMED_TUPLE.search(source):
        found.append(f"{module} imports NamedTuple from typing: mrsync.tuples makes the same in a third of the time")
    return sorted(set(found))


def package_of(module: str) -> tuple[str, str]:
    """Return (layer, inner) of a module's absolute name; inner is "" for modules right in the layer's folder."""
    parts = module.split(".")[1:]
    layer, inner = [*parts, "", ""][:2]
    return layer, inner if inner in SUBPACKAGES.get(layer, ()) else ""


def arrows_back(source: str, module: str, *, is_package: bool = False) -> list[str]:
    """Return imports of a module from sub-packages above its own."""
    layer, own = package_of(module)
    found = set()
    for name in imported_modules(source, module, is_package=is_package):
        other, inner = package_of(name)
        if layer not in SUBPACKAGES or other != layer or name == f"mrsync.{layer}":
            continue
        is_sideways = any(f"{module} {name}".startswith(f"mrsync.{a} mrsync.{b}") for a, b in SIDEWAYS)
        if SUBPACKAGES[layer].index(inner) > SUBPACKAGES[layer].index(own) and not is_sideways:
            found.add(f"{module} ({own}) imports {name}")
    return sorted(found)


def circles(graph: dict[str, set[str]]) -> list[str]:
    """Return one sentence per import circle; graph holds the imports of each module."""
    found: list[str] = []
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        if module in path:
            found.append(" -> ".join((*path[path.index(module) :], module)))
        elif module not in done:
            for name in sorted(graph.get(module, ())):
                visit(name, (*path, module))
            done.add(module)

    for module in sorted(graph):
        visit(module, ())
    return found


def project_modules() -> list[tuple[str, Path]]:
    return [
        (".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__"), path)
        for path in sorted(SOURCE.rglob("*.py"))
    ]


def reachable(start: str, modules: dict[str, Path]) -> set[str]:
    """Modules of the project that `start` pulls in, directly or not."""
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        module = waiting.pop()
        if module in seen or module not in modules:
            continue
        seen.add(module)
        path = modules[module]
        waiting += imported_modules(path.read_text(), module, is_package=path.name == "__init__.py")
        waiting.append(module.rpartition(".")[0])
    return seen


def target_modules() -> list[tuple[str, Path]]:
    modules = dict(project_modules())
    packages = ("errors", "files", "wire", "protocol", "tree", "transport")
    names = {name for name in modules if name.split(".")[1:2] and name.split(".")[1] in packages}
    names.update(*(reachable(catcher, modules) for catcher in CATCHERS))
    return sorted((name, modules[name]) for name in names)


@pytest.mark.parametrize("rule", [violations, arrows_back])
def test_modules_keep_to_their_layers_and_subpackages(rule: Callable[..., list[str]]) -> None:
    found = [
        sentence
        for module, path in project_modules()
        for sentence in rule(path.read_text(), module, is_package=path.name == "__init__.py")
    ]
    assert found == []


def test_no_import_circle() -> None:
    """Imports for type checks and within functions count, too."""
    modules = dict(project_modules())
    graph = {
        name: {other for other in imported_modules(path.read_text(), name, is_package=False) if other in modules}
        - {name}
        for name, path in modules.items()
        if path.name != "__init__.py"
    }
    assert circles(graph) == []


@pytest.mark.parametrize("layer", SUBPACKAGES)
def test_folder_is_small_enough_to_see_at_once(layer: str) -> None:
    folders = [path for path in (SOURCE / "mrsync" / layer).rglob("*") if path.is_dir() and path.name != "__pycache__"]
    crowded = {folder.name: n for folder in folders if (n := len(list(folder.glob("*.py")))) > FOLDER_FILES_MAX}
    assert crowded == {}


def test_every_package_has_a_layer() -> None:
    packages = {name.split(".")[1] for name, _ in project_modules() if "." in name}
    assert packages - {"__main__"} <= set(LAYERS)


def test_one_module_loads_the_c_library() -> None:
    loading = [path.name for path in SOURCE.rglob("*.py") if re.search(r"\bCDLL\b", path.read_text())]
    assert loading == ["c_library.py"]


def test_target_modules_parse_on_the_oldest_python() -> None:
    for _, path in target_modules():
        ast.parse(path.read_text(), str(path), feature_version=TARGET_PYTHON)


def test_catchers_need_nothing_of_the_masters_side() -> None:
    assert [module for module, _ in target_modules() if module.split(".")[1:2] in (["cli"], ["remote"])] == []


@pytest.mark.parametrize(
    ("module", "source", "expected"),
    [
        ("mrsync.wire.formats.codec", "import time", "pure"),
        ("mrsync.protocol.caster", "def f():\n    from os import path", "pure"),
        ("mrsync.protocol.caster", "from ..transport import driver", "(protocol) imports mrsync.transport"),
        ("mrsync.tree.source.scan", "from mrsync.wire.limits import VERSION", "(tree) imports mrsync.wire"),
        ("mrsync.tree.source.scan", "from mrsync import remote", "(tree) imports mrsync.remote"),
        ("mrsync.remote.targets", "import mrsync.tree.source.scan as scan", "(remote) imports mrsync.tree"),
        ("mrsync.run.cast.cast", "from mrsync.cli.output.report import x", "(run) imports mrsync.cli"),
        ("mrsync.errors", "import mrsync.wire", "(errors) imports mrsync.wire"),
        ("mrsync.transport.driver", "import cryptography", "not in the standard library"),
        (
            "mrsync.wire.formats.codec",
            "if TYPE_CHECKING:\n    from mrsync.protocol.caster import Caster",
            "(wire) imports",
        ),
    ],
)
def test_planted_violation_is_found(module: str, source: str, expected: str) -> None:
    assert any(expected in violation for violation in violations(source, module))


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("mrsync.wire.seals.sealing", "import struct\nfrom cryptography.hazmat.primitives.ciphers.aead import AESGCM"),
        ("mrsync.protocol.caster", "from . import roster\nfrom ..wire.messages import Status\nimport heapq"),
        ("mrsync.cli.main", "from mrsync.run import cast\nfrom mrsync import __version__\nimport rich.live"),
    ],
)
def test_allowed_import_is_not_a_violation(module: str, source: str) -> None:
    assert violations(source, module) == []


def test_planted_arrow_back_is_found() -> None:
    source = "from mrsync.tree.staging.stage import Stage"
    assert arrows_back(source, "mrsync.tree.model.plan") == [
        "mrsync.tree.model.plan (model) imports mrsync.tree.staging.stage",
        "mrsync.tree.model.plan (model) imports mrsync.tree.staging.stage.Stage",
    ]
    assert arrows_back("from mrsync.tree.model.plan import Plan", "mrsync.tree.staging.stage") == []


def test_planted_circle_is_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}}) == ["a -> b -> c -> a"]
    assert circles({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


# What few runs need: to forward pages, resume, copy blocks, obey rules, look at changed files again.
RARELY_NEEDED = (
    "mrsync.protocol.receiving.feeder",
    "mrsync.protocol.sending.schedule",
    "mrsync.transport.pages.forwarding",
    "mrsync.tree.delta.copy",
    "mrsync.tree.filter",
    "mrsync.tree.model.manifest_patch",
    "mrsync.tree.staging.resume",
)


def test_a_catcher_starts_without_rarely_needed_modules() -> None:
    """Importing it would make each start longer, and starts take most of the time of small runs."""
    code = f"import sys, {CATCHERS[0]}; print(*(name for name in {RARELY_NEEDED!r} if name in sys.modules))"
    shown = subprocess.run([sys.executable, "-c", code], cwd=SOURCE, capture_output=True, text=True, check=True)
    assert shown.stdout.split() == []
    assert set(RARELY_NEEDED) <= reachable(CATCHERS[0], dict(project_modules()))  # they are sent all the same
