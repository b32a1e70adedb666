"""Hook of mkdocs: links that leave docs/ lead to the repository, and the page of decisions lists them all."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

OUTSIDE = re.compile(r"\]\((?P<path>(?:\.\./)+[^)#]*)(?P<anchor>#[^)]*)?\)")


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Any) -> str:
    """Return the page with whole addresses in place of paths that lead out of docs/; list decisions on their page."""
    if page.file.src_uri == "decisions/README.md":
        markdown += decision_list(Path(page.file.abs_src_path).parent)
    return with_links_home(markdown, page.file.src_uri, config["extra"]["home"])


def decision_list(folder: Path) -> str:
    """Return a numbered list in Markdown, with a link to each decision by its title."""
    lines = []
    for path in sorted(folder.glob("[0-9]*.md")):
        number, _, title = path.read_text().partition("\n")[0].removeprefix("# ").partition(". ")
        lines.append(f"{number}. [{title}]({path.name})")
    return "\n" + "\n".join(lines) + "\n"


def with_links_home(markdown: str, name: str, home: str) -> str:
    """Return Markdown of the page docs/NAME; home: address of the repository."""

    def lead_home(match: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join("docs", posixpath.dirname(name), match["path"]))
        if path.startswith("docs/"):
            return match[0]
        return f"]({home}/blob/main/{path}{match['anchor'] or ''})"

    return OUTSIDE.sub(lead_home, markdown)
