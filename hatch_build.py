"""Have wheels carry man pages, completions and units, and a README that reads well on a package index."""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.metadata.plugin.interface import MetadataHookInterface

RELATIVE_LINK = re.compile(r"(?P<is_picture>!?)\[(?P<text>[^\]]*)\]\((?![a-z]+:|#)(?P<path>[^)]+)\)")


class SharedFiles(BuildHookInterface[Any]):
    """A wheel installs them below its prefix; an installation for development needs none."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name != "wheel" or version == "editable":
            return
        sys.path[:0] = [self.root, str(Path(self.root) / "src")]
        from release.shared import shared_files

        self._folder = tempfile.TemporaryDirectory()
        for number, (target, content) in enumerate(shared_files().items()):
            path = Path(self._folder.name, str(number))
            path.write_bytes(content)
            build_data["shared_data"][str(path)] = target

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        if hasattr(self, "_folder"):
            self._folder.cleanup()


class AbsoluteLinks(MetadataHookInterface):
    """Links in README.md are relative to the checkout; a package index needs whole addresses."""

    def update(self, metadata: dict[str, Any]) -> None:
        home = metadata["urls"]["Source"]
        text = Path(self.root, "README.md").read_text()
        metadata["readme"] = {"content-type": "text/markdown", "text": with_absolute_links(text, home)}


def with_absolute_links(text: str, home: str) -> str:
    """Return Markdown whose relative links lead to the branch main of the repository at home."""

    def absolute(match: re.Match[str]) -> str:
        view = "raw" if match["is_picture"] else "blob"
        return f"{match['is_picture']}[{match['text']}]({home}/{view}/main/{match['path']})"

    return RELATIVE_LINK.sub(absolute, text)
