"""The shared secret of casters and catchers that are started by hand."""

from __future__ import annotations

import hashlib
import os

from mrsync.errors import FileError, UsageError
from mrsync.files import open_named

CONTENT_BYTES_MIN = 16
CONTENT_BYTES_MAX = 4096

STRETCHES = 100_000  # a tenth of a second for whoever guesses a passphrase; it does not make a short one good
_SALT = b"mrsync key file"  # the same at both ends

INSECURE_SECRET = hashlib.sha256(b"mrsync --insecure").digest()  # known to everyone; guards against accidents only


def read_secret(path: str) -> bytes:
    """32 bytes from a file of at least 16; a newline at its end does not count, so that an editor or echo may write it.

    Raises FileError if it cannot be read, UsageError if it is another user's, others may read it, or it is too short.
    """
    try:
        with open_named(path) as file:
            _check(path, os.fstat(file.fileno()))
            content = file.read(CONTENT_BYTES_MAX + 1).rstrip(b"\r\n")
    except OSError as error:
        raise FileError(f"cannot read the key file {path}: {error.strerror}") from error
    if not CONTENT_BYTES_MIN <= len(content) <= CONTENT_BYTES_MAX:
        raise UsageError(f"the key file {path} must hold {CONTENT_BYTES_MIN} to {CONTENT_BYTES_MAX} bytes")
    return hashlib.pbkdf2_hmac("sha256", content, _SALT, STRETCHES)


def _check(path: str, status: os.stat_result) -> None:
    """Whoever owns the file, or may read it, is a member of every session; raises UsageError."""
    if status.st_uid not in (os.geteuid(), 0):
        raise UsageError(f"the key file {path} belongs to another user: chown it, or choose your own")
    if status.st_mode & 0o077:
        raise UsageError(f"the key file {path} is open to others: chmod 600 {path}")
