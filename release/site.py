"""Hook of mkdocs: links that leave docs/ lead to the repository, so that the site has no dead ones."""

from __future__ import annotations

import posixpath
import re
from typing import Any

OUTSIDE = re.compile(r"\]\((?P<path>(?:\.\./)+[^)#]*)(?P<anchor>#[^)]*)?\)")


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Any) -> str:
    """Return the page with whole addresses in place of paths that lead out of docs/."""
    return with_links_home(markdown, page.file.src_uri, config["extra"]["home"])


def with_links_home(markdown: str, name: str, home: str) -> str:
    """Return Markdown of the page docs/NAME; home: address of the repository."""

    def lead_home(match: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join("docs", posixpath.dirname(name), match["path"]))
        if path.startswith("docs/"):
            return match[0]
        return f"]({home}/blob/main/{path}{match['anchor'] or ''})"

    return OUTSIDE.sub(lead_home, markdown)
