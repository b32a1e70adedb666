"""Build the Debian package: python -m release.deb FOLDER."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from mrsync import __version__
from release.shared import PROJECT, ZSH, shared_files

ZSH_OF_DEBIAN = "share/zsh/vendor-completions"
MODULES = "usr/lib/python3/dist-packages"
SCRIPT = "#!/usr/bin/python3\nimport sys\n\nfrom {module} import {function}\n\nsys.exit({function}())\n"
CONTROL = """\
Package: mrsync
Version: {version}
Architecture: all
Maintainer: The mrsync developers <mrsync@localhost>
Section: net
Priority: optional
Depends: python3 (>= 3.11), python3-clustershell, python3-cryptography, python3-rich
Recommends: openssh-client, clustershell
Suggests: rsync, python3-zstandard
Installed-Size: {kilobytes}
Description: {summary}
 A file is sent over the network once, by reliable UDP multicast, however
 many hosts there are. Targets need nothing but Python 3.9 and a remote
 shell such as ssh. What differs is found on every target by itself, losses
 are repaired by coded packets, and files are put in place by renaming.
"""
# In a foreign root there may be no py3compile; Python compiles modules when they are first used, then.
HOOK = '#!/bin/sh\nset -e\nif [ -z "$DPKG_ROOT" ] && command -v {tool} >/dev/null; then {tool} -p mrsync; fi\n'


def build_deb(folder: Path) -> Path:
    """Write mrsync_VERSION_all.deb into a folder and return its path. Needs dpkg-deb."""
    version = __version__.replace(".dev", "~dev").replace("rc", "~rc")
    package = folder / f"mrsync_{version}_all.deb"
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        root.chmod(0o755)
        _fill(root)
        _write_control(root / "DEBIAN", version, root)
        command = ["dpkg-deb", "--root-owner-group", "-Zxz", "--build", str(root), str(package)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=_reproducible())
    return package


def _fill(root: Path) -> None:
    shutil.copytree(PROJECT / "src" / "mrsync", root / MODULES / "mrsync", ignore=shutil.ignore_patterns("__pycache__"))
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    for program, entry in project["scripts"].items():
        module, _, function = entry.partition(":")
        _write(root / "usr/bin" / program, SCRIPT.format(module=module, function=function).encode(), mode=0o755)
    for path, content in shared_files().items():
        path = path.replace(ZSH, ZSH_OF_DEBIAN)
        if path.startswith("share/man"):
            _write(root / "usr" / f"{path}.gz", gzip.compress(content, mtime=0))
        else:
            _write(root / "usr" / path, content)
    documents = root / "usr/share/doc/mrsync"
    shutil.copytree(PROJECT / "docs", documents, ignore=shutil.ignore_patterns("decisions"))
    for name, title in (("README.md", "README.md"), ("LICENSE", "copyright")):
        _write(documents / title, (PROJECT / name).read_bytes())
    _write(documents / "changelog.gz", gzip.compress((PROJECT / "CHANGELOG.md").read_bytes(), mtime=0))


def _write_control(folder: Path, version: str, root: Path) -> None:
    kilobytes = sum(path.stat().st_size for path in root.rglob("*") if path.is_file()) // 1024
    summary = "make a directory tree equal on many hosts, by multicast"
    control = CONTROL.format(version=version, kilobytes=kilobytes, summary=summary)
    _write(folder / "control", control.encode())
    _write(folder / "postinst", HOOK.format(tool="py3compile").encode(), mode=0o755)
    _write(folder / "prerm", HOOK.format(tool="py3clean").encode(), mode=0o755)


def _write(path: Path, content: bytes, *, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(mode)


def _reproducible() -> dict[str, str]:
    """Two builds of one commit give the same bytes."""
    command = ["git", "log", "-1", "--format=%ct"]
    shown = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False).stdout.strip()
    return {**os.environ, "SOURCE_DATE_EPOCH": os.environ.get("SOURCE_DATE_EPOCH") or shown or "0"}


if __name__ == "__main__":
    print(build_deb(Path(sys.argv[1])))
