"""The documentation site is built without a warning, and its pages work in a browser."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from release.site import with_links_home
from tests.browser import browser
from tests.docs.blocks import PROJECT
from tests.support.waiting import HANG_S

pytestmark = pytest.mark.xdist_group("site")  # built once
HOME = "https://example.org/mrsync"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the site, built anew."""
    pytest.importorskip("mkdocs")
    pytest.importorskip("material")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}  # about the future of mkdocs, not about these pages
    done = subprocess.run(
        command, cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=HANG_S, check=False
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return folder


def test_every_page_of_the_navigation_is_there(site: Path) -> None:
    for name in (
        "index.html",
        "first-sync/index.html",
        "cli/index.html",
        "decisions/index.html",
        "search/search_index.json",
    ):
        assert (site / name).stat().st_size > 1000, name


def test_every_file_that_pages_show_or_link_to_is_there(site: Path) -> None:
    missing = []
    for page in site.rglob("*.html"):
        for link in re.findall(r'(?:href|src)="?([^"#?\s>]+)', page.read_text()):
            if not re.match(r"[a-z]+:|//|/", link) and not (page.parent / link).exists():
                missing.append(f"{page.relative_to(site)}: {link}")
    assert missing == []


def test_all_decisions_are_listed(site: Path) -> None:
    text = (site / "decisions" / "index.html").read_text()
    names = [path.stem for path in (PROJECT / "docs" / "decisions").glob("[0-9]*.md")]
    assert [name for name in names if name not in text] == []


def test_diagrams_are_marked_for_the_browser(site: Path) -> None:
    assert '<pre class="mermaid">' in (site / "dialogues" / "index.html").read_text()


def test_links_out_of_the_folder_lead_to_the_repository() -> None:
    text = "[a](../README.md#install) [b](../../src/x.py) [c](../cli.md#settings) [d](cli.md)"
    assert with_links_home("[a](../README.md#install)", "page.md", HOME) == f"[a]({HOME}/blob/main/README.md#install)"
    assert with_links_home(text, "how-to/page.md", HOME) == (
        f"[a](../README.md#install) [b]({HOME}/blob/main/src/x.py) [c](../cli.md#settings) [d](cli.md)"
    )


def test_a_browser_has_nothing_to_complain_about(site: Path) -> None:
    """Served by HTTP as a web server does it; the search needs that."""
    handler = partial(QuietHandler, directory=str(site))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server, browser() as window:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for page in ("", "cli/", "how-to/switches/"):
            window.open(f"http://127.0.0.1:{server.server_port}/{page}")
            assert "mrsync" in window.run("return document.title")
            assert window.complaints() == []
        server.shutdown()


class QuietHandler(SimpleHTTPRequestHandler):
    """Writes no line for each request."""

    def log_message(self, format: str, *arguments: object) -> None:
        return
