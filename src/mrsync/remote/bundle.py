"""Pack the modules that a catcher needs into one zip archive, for targets that have nothing but Python."""

from __future__ import annotations

import hashlib
import io
import pkgutil
import re
import zipfile
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

CATCHER = "mrsync.run.catch.catch"
LOADER = "mrsync.remote.loader"
EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest date of zip; a fixed one makes equal bytes from equal sources

# `ast` would take 0.1 s at every start. A test checks that this pattern finds the same imports in our sources.
IMPORT = re.compile(
    r"^[ \t]*(?:from[ \t]+(mrsync[\w.]*)[ \t]+import[ \t]+(\([^)]*\)|[^\n#]*)|import[ \t]+(mrsync[\w.]*))", re.MULTILINE
)


class Bundle(NamedTuple):
    """A zip archive of modules.

    digest: its SHA-256 in hexadecimal. entry: the module whose catch_from_stdin is called.
    """

    content: bytes
    digest: str
    entry: str = CATCHER

    def opening(self) -> bytes:
        """Return what a catcher gets on the stdin of `python3 -c`: the loader as one line, then the archive."""
        loader = _source(f"{LOADER.replace('.', '/')}.py")
        assert loader is not None  # a part of this package
        arguments = [str(len(self.content)), self.digest, self.entry]
        return f"import sys;sys.argv[2:]={arguments!r};exec({loader.decode('ascii')!r})\n".encode() + self.content


@cache
def make_bundle(entry: str = CATCHER) -> Bundle:
    """Return a bundle of all modules of mrsync that `entry` imports, directly or indirectly."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
        for path, source in sorted(needed_sources(entry).items()):
            packed.writestr(zipfile.ZipInfo(path, EPOCH), source, zipfile.ZIP_DEFLATED)
    content = archive.getvalue()
    return Bundle(content, hashlib.sha256(content).hexdigest(), entry)


def needed_sources(entry: str) -> dict[str, bytes]:
    """Follow the imports of `entry`; return the source of each module by its path in the archive."""
    found: dict[str, bytes] = {}
    seen = set()
    waiting = [entry]
    while waiting:
        module = waiting.pop()
        if not module or module in seen:
            continue
        seen.add(module)
        for path in (f"{module.replace('.', '/')}.py", f"{module.replace('.', '/')}/__init__.py"):
            if (source := _source(path)) is not None:
                found[path] = source
                waiting += [module.rpartition(".")[0], *_imports(source.decode())]
    return found


def _imports(source: str) -> Iterator[str]:
    """Yield the modules that `source` imports from, and `module.name` for each name, which may be a module as well."""
    for origin, names, module in IMPORT.findall(source):
        yield origin or module
        yield from (f"{origin}.{name}" for name in re.findall(r"(\w+)(?:[ \t]+as[ \t]+\w+)?", names))


def _source(path: str) -> bytes | None:
    try:
        return pkgutil.get_data("mrsync", path.removeprefix("mrsync/"))
    except OSError:
        return None
