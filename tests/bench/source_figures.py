"""The figures of docs/architecture.md about the code itself: python -m tests.bench.source_figures [FOLDER...].

Without a folder it measures src/mrsync; with several, such as checkouts of other projects, one column for each.
"""

from __future__ import annotations

import ast
import io
import re
import statistics
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

PROJECT = Path(__file__).parents[2]
SMALL_LINES_MAX = 60
MANY_ATTRIBUTES = 20
SUBJECT_MAX = 72
Function = ast.FunctionDef | ast.AsyncFunctionDef
EXAMPLE = re.compile(r">>> |::\n|\n\s*\n {4,}\S")  # a prompt, a literal block, or an indented one


def figures(folder: Path) -> dict[str, str]:
    """Return what was measured of all Python files below a folder, by the name of each figure."""
    sources = [path.read_text() for path in sorted(folder.rglob("*.py"))]
    trees = [ast.parse(source) for source in sources]
    lines = [source.count("\n") for source in sources]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    functions = [node for node in nodes if isinstance(node, Function)]
    documented = [node for node in nodes if isinstance(node, Function | ast.ClassDef | ast.Module)]
    docstrings = [text for node in documented if (text := ast.get_docstring(node))]
    classes = [len(attributes(node)) for node in nodes if isinstance(node, ast.ClassDef)]
    named = [name in (ast.get_docstring(node) or "") for node in functions for name in public_parameters(node)]
    return {
        "modules / lines": f"{len(sources)} / {sum(lines) / 1000:.1f} k",
        "module lines median / p90 / max": spread(lines),
        f"modules of at most {SMALL_LINES_MAX} lines": share(sum(count <= SMALL_LINES_MAX for count in lines), lines),
        "function lines median / p90 / max": spread([(node.end_lineno or 0) - node.lineno + 1 for node in functions]),
        "comments per 100 code lines": f"{100 * sum(map(comments, sources)) / sum(map(code_lines, sources)):.1f}",
        "public parameters never named in the docstring": share(named.count(False), named),
        "docstrings with an example": f"{sum(bool(EXAMPLE.search(t)) for t in docstrings)} of {len(docstrings)}",
        f"classes with {MANY_ATTRIBUTES} attributes or more (max)": (
            f"{sum(count >= MANY_ATTRIBUTES for count in classes)} ({max(classes, default=0)})"
        ),
        "files in the largest folder": str(max(len(list(path.glob("*.py"))) for path in folders(folder))),
        f"commit subject mean / over {SUBJECT_MAX} characters, last 300": subjects(folder),
    }


def spread(values: list[int]) -> str:
    ordered = sorted(values)
    return f"{statistics.median(ordered):.0f} / {ordered[len(ordered) * 9 // 10]} / {ordered[-1]}"


def share(count: int, whole: list[int] | list[bool]) -> str:
    return f"{100 * count / max(len(whole), 1):.0f} %"


def folders(folder: Path) -> Iterator[Path]:
    yield folder
    yield from (path for path in folder.rglob("*") if path.is_dir())


def comments(source: str) -> int:
    """Return how many lines have a comment that is for people, not for a tool."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    texts = (token.string for token in tokens if token.type == tokenize.COMMENT)
    return sum(not re.match(r"#\s*(noqa|type:|fmt:|pragma)", text) for text in texts)


def code_lines(source: str) -> int:
    """Return how many lines hold code: no blank lines, comments or docstrings."""
    no_code = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in no_code:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            lines -= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return len(lines)


def public_parameters(node: Function) -> list[str]:
    """Return the names that a docstring might explain; none of a private function."""
    if node.name.startswith("_"):
        return []
    names = [argument.arg for argument in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
    return [name for name in names if name not in ("self", "cls")]


def attributes(node: ast.ClassDef) -> set[str]:
    """Return the names that a class gives to its instances."""
    fields = {
        item.target.id for item in node.body if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)
    }
    stores = (item for item in ast.walk(node) if isinstance(item, ast.Attribute) and isinstance(item.ctx, ast.Store))
    return fields | {item.attr for item in stores if isinstance(item.value, ast.Name) and item.value.id == "self"}


def subjects(folder: Path) -> str:
    command = ["git", "-C", str(folder), "log", "-300", "--format=%s"]
    shown = subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()
    lengths = [len(subject) for subject in shown]
    if not lengths:
        return "no history"
    return f"{statistics.mean(lengths):.0f} / {share(sum(length > SUBJECT_MAX for length in lengths), lengths)}"


def main() -> None:
    places = [Path(name) for name in sys.argv[1:]] or [PROJECT / "src" / "mrsync"]
    columns = [figures(place) for place in places]
    print("| |", " | ".join(place.name for place in places), "|")
    print("|---" * (len(places) + 1) + "|")
    for name in columns[0]:
        print(f"| {name} |", " | ".join(column[name] for column in columns), "|")


if __name__ == "__main__":
    main()
