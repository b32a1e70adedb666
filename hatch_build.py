"""Have wheels carry man pages, completions and units."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class SharedFiles(BuildHookInterface):
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
