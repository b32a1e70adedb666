"""No file is opened in a way in which somebody else could have something else opened, or keep us waiting."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "mrsync"
FLAGS_OF = {  # constants, by where they are, that stand for flags elsewhere
    "CAUTIOUS": {"O_NOFOLLOW", "O_NONBLOCK"},
    "NAMED": {"O_NONBLOCK"},
    "OPEN_DIRECTORY": {"O_NOFOLLOW", "O_NONBLOCK", "O_DIRECTORY"},
}
# What is opened by a path that the user gave: links in it are the user's. What else may be otherwise, and why.
EXCEPTIONS = {
    ("files.py", "open_regular_below"): "the root of a tree, named by the user",
    ("files.py", "open_named"): "named by the user",
    ("tree/source/roots.py", "open_source"): "SOURCE itself; only a directory",
    ("tree/source/roots.py", "_open_followed"): "what a link of SOURCE leads to, where --copy-links asks for that",
    ("tree/fs/directories.py", "_open_followed"): "the same; only a directory",
    ("tree/compare/prefetch.py", "read"): "DEST itself; only a directory",
    ("tree/destination/root.py", "open_root"): "DEST itself; only a directory",
    ("tree/destination/backupdir.py", "_open_root"): "--backup-dir itself; only a directory",
    ("tree/destination/alternates.py", "_open"): "--link-dest and its like; only a directory",
    ("tree/destination/root.py", "open_directory_from"): "the same and --temp-dir, outside of DEST",
    ("tree/staging/homes.py", "foresee_area"): "--temp-dir of a DEST that does not exist; only a directory",
    ("tree/fs/handles.py", "_call"): "the working directory",
    ("run/sandbox.py", "enter"): "the root, for no more than its path",
    (
        "run/catch/confinement.py",
        "open_deepest",
    ): "what leads to --backup-dir, or to DEST; a directory, for no more than its path",
    ("tree/destination/timestamps.py", "_make_probe"): "a file without a name, or one that is made",
    ("cli/settings/configuration.py", "_read"): "named by the user, and checked for its owner",
    ("cli/output/output_files.py", "replace_file"): "the directory of an output, named by the user",
    ("cli/streams.py", "_occupy_descriptors"): "/dev/null",
}
BUILTIN = {  # where `open` is called with a path, and what it is
    "tree/fs/mounts.py": "/proc",
    "tree/staging/journal.py": "/proc",
    "run/measure/hostfacts.py": "/proc and /sys",
    "run/demo.py": "files in a new directory of its own",
    "cli/streams.py": "a descriptor",
    "remote/local.py": "a descriptor",
    "run/bootstrap.py": "a descriptor",
    "cli/output/output_files.py": "a descriptor",
    "cli/settings/configuration.py": "a descriptor",
}


def flags_in(node: ast.AST, constants: dict[str, ast.expr]) -> set[str]:
    """The names of all flags in an expression, constants of the module resolved."""
    found: set[str] = set()
    for part in ast.walk(node):
        if isinstance(part, ast.Attribute) and part.attr.startswith("O_"):
            found.add(part.attr)
        elif isinstance(part, ast.Name) and part.id in FLAGS_OF:
            found |= FLAGS_OF[part.id]
        elif isinstance(part, ast.Name) and part.id in constants:
            found |= flags_in(constants[part.id], constants)
    return found


def is_safe(flags: set[str]) -> bool:
    """No link is followed and nothing is waited for; or the file is made by this very call, or has no name."""
    if {"O_CREAT", "O_EXCL"} <= flags or "O_TMPFILE" in flags:
        return True
    return "O_NOFOLLOW" in flags and bool(flags & {"O_NONBLOCK", "O_PATH"})


def calls(tree: ast.AST, function: str = "") -> Iterator[tuple[str, ast.Call]]:
    """Every call, with the name of the function that it is in."""
    for node in ast.iter_child_nodes(tree):
        inner = node.name if isinstance(node, ast.FunctionDef) else function
        if isinstance(node, ast.Call):
            yield inner, node
        yield from calls(node, inner)


def unsafe_opens(source: str, path: str) -> Iterator[str]:
    tree = ast.parse(source)
    constants = {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for function, call in calls(tree):
        text = ast.unparse(call.func)
        is_bare = text == "os.open" and (path, function) not in EXCEPTIONS and not is_safe(flags_in(call, constants))
        if is_bare or (text in ("open", "io.open") and path not in BUILTIN):
            yield f"{path}, line {call.lineno}: {ast.unparse(call)}"


def modules() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


def test_everything_is_opened_safely() -> None:
    found = [call for path in modules() for call in unsafe_opens(path.read_text(), str(path.relative_to(SOURCE)))]
    assert found == []


def test_exceptions_are_still_there() -> None:
    for path, function in EXCEPTIONS:
        assert f"def {function}(" in (SOURCE / path).read_text(), path
    for path in BUILTIN:
        assert "open(" in (SOURCE / path).read_text(), path


def test_the_constants_have_the_flags_that_they_promise() -> None:
    from mrsync import files
    from mrsync.tree.fs import directories

    for module in (files, directories):
        for name, flags in FLAGS_OF.items():
            value = getattr(module, name, None)
            if value is not None:
                assert all(value & getattr(os, flag) for flag in flags), name


@pytest.mark.parametrize(
    "source",
    [
        "import os\ndef f(n, fd):\n    os.open(n, os.O_RDONLY, dir_fd=fd)",
        "import os\n_F = os.O_WRONLY | os.O_NOFOLLOW\nos.open('x', _F)",
        "import os\nos.open('x', os.O_RDONLY | os.O_NONBLOCK)",
        "open('x')",
    ],
)
def test_planted_carelessness_is_found(source: str) -> None:
    assert list(unsafe_opens(source, "tree/x.py"))
