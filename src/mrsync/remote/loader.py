"""Receive the bundle on stdin, keep it in memory, and run it. Sent to a target first; leaves no file there.

Every Python since 2.7 must be able to parse this, so that an old one can say that it is too old. It is run by exec in
one namespace, so it has no functions and no annotations.
"""

import hashlib
import importlib
import os
import sys
import tempfile

size, digest, entry = int(sys.argv[2]), sys.argv[3], sys.argv[4]  # set by Bundle.opening

if sys.version_info < (3, 9):  # noqa: UP036
    version = ".".join(map(str, sys.version_info[:3]))
    sys.exit("multicatcher: Python " + version + " is too old, 3.9 is needed (name another one with --remote-python)")

checked = hashlib.sha256()
try:
    try:
        bundle = os.fdopen(os.memfd_create("mrsync"), "wb", 0)
    except (AttributeError, OSError):  # an old C library or kernel
        bundle = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115
    while size:
        data = os.read(0, min(size, 1 << 16))  # the bytes after the bundle belong to the catcher
        if not data:
            sys.exit("multicatcher: the master is gone")
        size -= len(data)
        checked.update(data)
        bundle.write(data)
except OSError as error:
    sys.exit("multicatcher: there is no room for the program: " + str(error.strerror))
if checked.hexdigest() != digest:
    sys.exit("multicatcher: the program was damaged on its way")

sys.path = ["/proc/self/fd/" + str(bundle.fileno())] + [path for path in sys.path if path]  # not the current directory

sys.exit(importlib.import_module(entry).catch_from_stdin(sys.argv[1]))
