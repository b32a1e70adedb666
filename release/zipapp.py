"""Build mrsync.pyz, one file with the program and the pure Python packages it needs: python -m release.zipapp FOLDER.

`cryptography` is compiled for one system, so it stays outside: where it is not installed, sessions are authenticated
and not encrypted, as without it anywhere.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
import tomllib
import zipapp
from collections.abc import Iterable
from importlib.metadata import Distribution, distribution
from pathlib import Path

from release.shared import PROJECT

OUTSIDE = {"cryptography", "pyyaml"}  # pyyaml: ClusterShell reads groups in YAML with it, if it is there
MAIN = "import sys\n\nfrom mrsync.cli.main import mrsync\n\nsys.exit(mrsync())\n"


def build_pyz(folder: Path) -> Path:
    """Write mrsync.pyz into a folder and return its path. The packages are those of this environment."""
    package = folder / "mrsync.pyz"
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        shutil.copytree(PROJECT / "src" / "mrsync", root / "mrsync", ignore=shutil.ignore_patterns("__pycache__"))
        (root / "__main__.py").write_text(MAIN)
        project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
        for needed in sorted(_needed(project["dependencies"])):
            _copy(distribution(needed), root)
        zipapp.create_archive(root, package, "/usr/bin/env python3", compressed=True)
        package.chmod(0o755)  # zipapp lets only the owner run it
    return package


def _needed(requirements: Iterable[str]) -> set[str]:
    """All packages that these requirements lead to, without extras, but for what stays outside."""
    found: set[str] = set()
    for requirement in requirements:
        name = re.split(r"[^\w.-]", requirement, maxsplit=1)[0].lower()
        if "extra ==" not in requirement and name not in OUTSIDE:
            found |= {name, *_needed(distribution(name).requires or [])}
    return found


def _copy(package: Distribution, root: Path) -> None:
    """Copy its modules and its metadata, licences included."""
    for path in package.files or []:
        if ".." not in path.parts and "__pycache__" not in path.parts:
            target = root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(str(path.locate()), target)


if __name__ == "__main__":
    print(build_pyz(Path(sys.argv[1])))
