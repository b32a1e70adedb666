"""Pack the modules that a catcher needs into one blob, for targets that have nothing but Python.

Compiling the sources takes a target 0.2 s of processor, four times as long as the rest of its start. So a target whose
Python reads the same bytecode as ours gets code, which Python has kept here in its caches (.pyc). Others get sources.
`loader` is the other end.
"""

from __future__ import annotations

import hashlib
import importlib.util
import marshal
import pkgutil
import re
import zlib
from collections import deque
from collections.abc import Iterator
from functools import cache

from mrsync.tuples import NamedTuple

CATCHER = "mrsync.run.catch.catch"
LOADER = "mrsync.remote.loader"
MARSHAL_VERSION = 2  # every Python reads it
BYTECODE = repr(importlib.util.MAGIC_NUMBER).encode()  # what our Python reads, as a target tells it: command.STARTER
COMPRESSION = 6  # a level of 9 takes six times as long and saves 2 %

# The first line is read byte by byte (command.STARTER), which would take 3 ms of processor for the whole loader.
READER = (
    "code=b''\nwhile len(code)<{0}:code+=os.read(0,{0}-len(code))or sys.exit('multicatcher: the master is gone')\n"
    "exec(code)"
)

# `ast` would take 0.1 s at every start. A test checks that this pattern finds the same imports in our sources.
IMPORT = re.compile(
    r"^[ \t]*(?:from[ \t]+(mrsync[\w.]*)[ \t]+import[ \t]+(\([^)]*\)|[^\n#]*)|import[ \t]+(mrsync[\w.]*))", re.MULTILINE
)


class Bundle(NamedTuple):
    """A compressed dictionary of modules, see `loader.BundleFinder`.

    digest: its SHA-256 in hexadecimal. entry: the module whose catch_from_stdin is called.
    """

    content: bytes
    digest: str
    entry: str = CATCHER

    def opening(self) -> bytes:
        """Return the stdin of a catcher that `python3 -c` starts: a line that reads the loader, that, and the blob."""
        loader = _source(f"{LOADER.replace('.', '/')}.py")
        assert loader is not None  # a part of this package
        arguments = [str(len(self.content)), self.digest, self.entry]
        line = f"import os,sys;sys.argv[2:]={arguments!r};exec({READER.format(len(loader))!r})\n"
        return line.encode() + loader + self.content


def opening_for(entry: str, bytecode: bytes) -> bytes:
    """Return the opening for a target that says which bytecode it reads; b"": it does not say."""
    return _opening(entry, is_code=bytecode == BYTECODE)


@cache
def _opening(entry: str, *, is_code: bool) -> bytes:
    return make_bundle(entry, is_code=is_code).opening()


def make_bundle(entry: str = CATCHER, *, is_code: bool = False) -> Bundle:
    """Return a bundle of all modules of mrsync that `entry` imports, directly or indirectly."""
    modules: dict[str, tuple[bool, bytes | str]] = {}
    for path, source in sorted(needed_sources(entry).items()):
        is_package = path.endswith("/__init__.py")
        name = path.removesuffix("/__init__.py" if is_package else ".py").replace("/", ".")
        modules[name] = is_package, _code(name) if is_code else source.decode()
    content = zlib.compress(marshal.dumps(modules, MARSHAL_VERSION), COMPRESSION)
    return Bundle(content, hashlib.sha256(content).hexdigest(), entry)


def _code(module: str) -> bytes:
    """Return the code of a module, as marshal keeps it. It is compiled only if Python has not kept it."""
    spec = importlib.util.find_spec(module)
    assert spec is not None  # its source was found
    assert spec.loader is not None
    assert hasattr(spec.loader, "get_code")  # a zipapp's loader has it, too, but is no InspectLoader
    return marshal.dumps(spec.loader.get_code(module))


def needed_sources(entry: str) -> dict[str, bytes]:
    """Follow the imports of `entry`; return the source of each module by its path."""
    found: dict[str, bytes] = {}
    seen = {""}
    waiting = deque([entry])
    while waiting:
        module = waiting.popleft()
        place, package = module.replace(".", "/"), module.rpartition(".")[0]
        if module in seen or f"{package.replace('.', '/')}.py" in found:
            continue  # the latter: it is a name in a module, of which there are thousands
        seen.add(module)
        for path in (f"{place}.py", f"{place}/__init__.py"):
            if (source := _source(path)) is not None:
                found[path] = source
                waiting += [package, *_imports(source.decode())]
                break
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
