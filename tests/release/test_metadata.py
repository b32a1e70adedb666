"""What a package index shows."""

from __future__ import annotations

import json
import subprocess
import sys

from mrsync.cli.registry.options import DOCUMENTS_ONLINE
from release.shared import PROJECT


def test_the_readme_on_an_index_has_whole_links() -> None:
    command = [sys.executable, "-m", "hatchling", "metadata"]
    shown = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    metadata = json.loads(shown)
    assert "](docs/" not in metadata["readme"]["text"]
    assert f"]({metadata['urls']['Source']}/raw/main/docs/mrsync.svg)" in metadata["readme"]["text"]
    assert metadata["urls"]["Documentation"] == DOCUMENTS_ONLINE
    assert {"authors", "classifiers", "keywords", "urls"} <= set(metadata)
