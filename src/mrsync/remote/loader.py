# mypy: allow-untyped-defs, allow-untyped-calls
"""Receive the bundle on stdin, keep it in memory, and run it. Sent to a target first; leaves no file there.

Every Python since 2.7 must be able to parse this, so that an old one can say that it is too old. It is run by exec in
one namespace, and has no annotations.
"""

import gc
import hashlib
import importlib
import marshal
import os
import sys
import zlib

size, digest, entry = int(sys.argv[2]), sys.argv[3], sys.argv[4]  # set by Bundle.opening

if sys.version_info < (3, 9):  # noqa: UP036
    version = ".".join(map(str, sys.version_info[:3]))
    sys.exit("multicatcher: Python " + version + " is too old, 3.9 is needed (name another one with --remote-python)")

gc.disable()  # the modules stay, and the search for garbage takes a tenth of their import

from importlib.machinery import ModuleSpec  # noqa: E402  # an old Python has none


class BundleFinder:
    """Import modules from the bundle: name -> (whether it is a package, its code by marshal as bytes or its source)."""

    def __init__(self, modules):
        self.modules = modules

    def find_spec(self, name, path=None, target=None):
        """Return the spec of a module of the bundle, or None for any other."""
        if name not in self.modules:
            return None
        return ModuleSpec(name, self, origin="mrsync bundle", is_package=self.modules[name][0])  # type: ignore[arg-type]

    def create_module(self, spec):
        """Leave this to Python."""

    def exec_module(self, module):
        """Run the code of a module in its namespace. Then forget it, to save memory."""
        name = module.__name__
        content = self.modules[name][1]
        is_code = isinstance(content, bytes)
        code = marshal.loads(content) if is_code else compile(content, name, "exec", dont_inherit=True)
        exec(code, module.__dict__)
        del self.modules[name]


chunks = []
while size:
    data = os.read(0, min(size, 1 << 20))  # the bytes after the bundle belong to the catcher
    if not data:
        sys.exit("multicatcher: the master is gone")
    size -= len(data)
    chunks.append(data)
packed = b"".join(chunks)
if hashlib.sha256(packed).hexdigest() != digest:
    sys.exit("multicatcher: the program was damaged on its way")

sys.meta_path.insert(0, BundleFinder(marshal.loads(zlib.decompress(packed))))
status = importlib.import_module(entry).catch_from_stdin(sys.argv[1])
gc.freeze()  # else Python would search all modules for garbage before it exits, a sixth of a short catcher's time
sys.exit(status)
