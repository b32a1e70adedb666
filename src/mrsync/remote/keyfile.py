"""The shared secret of casters and catchers that are started by hand."""

from __future__ import annotations

import hashlib
import os

from mrsync.errors import FileError, UsageError

CONTENT_BYTES_MIN = 16
CONTENT_BYTES_MAX = 4096

INSECURE_SECRET = hashlib.sha256(b"mrsync --insecure").digest()  # known to everyone; guards against accidents only


def read_secret(path: str) -> bytes:
    """32 bytes from a file of at least 16; a newline at its end does not count, so that an editor or echo may write it.

    Raises FileError if it cannot be read, UsageError if others may read it or it is too short.
    """
    try:
        with open(path, "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(CONTENT_BYTES_MAX + 1).rstrip(b"\r\n")
    except OSError as error:
        raise FileError(f"cannot read the key file {path}: {error.strerror}") from error
    if mode & 0o077:
        raise UsageError(f"the key file {path} is open to others: chmod 600 {path}")
    if not CONTENT_BYTES_MIN <= len(content) <= CONTENT_BYTES_MAX:
        raise UsageError(f"the key file {path} must hold {CONTENT_BYTES_MIN} to {CONTENT_BYTES_MAX} bytes")
    return hashlib.sha256(content).digest()
