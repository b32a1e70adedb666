"""The secrets of casters and catchers that are started by hand."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from typing import NamedTuple

from mrsync.errors import FileError, UsageError
from mrsync.files import open_named

CONTENT_BYTES_MIN = 16
CONTENT_BYTES_MAX = 4096
LINES_BYTES_MAX = 1 << 20  # more than a line for every target there can be

STRETCHES = 100_000  # a tenth of a second for whoever guesses a passphrase; it does not make a short one good
_SALT = b"mrsync key file"  # the same at both ends
_GROUP = b"group "
_SECRET = re.compile("[0-9A-Fa-f]{64}")

INSECURE_SECRET = hashlib.sha256(b"mrsync --insecure").digest()  # known to everyone; guards against accidents only


class Keys(NamedTuple):
    """What a key file holds: the secret of all, and those of single targets by their ids."""

    group: bytes
    own: dict[int, bytes] = {}  # noqa: RUF012  # nobody writes to it

    def of_all(self, targets: Sequence[str]) -> tuple[bytes, ...]:
        """The own secrets of all targets, or none; raises UsageError if one is missing."""
        if not self.own:
            return ()
        for number, name in enumerate(targets):
            if number not in self.own:
                raise UsageError(f"the key file has a line for some targets, but none for number {number} ({name})")
        return tuple(self.own[number] for number in range(len(targets)))

    def of_one(self, target: int) -> bytes:
        """The own secret of this target, empty where none has one; raises UsageError if only others have."""
        if self.own and target not in self.own:
            raise UsageError(f"the key file has a line for other targets, but none for number {target}")
        return self.own.get(target, b"")


INSECURE_KEYS = Keys(INSECURE_SECRET)


def read_keys(path: str) -> Keys:
    """From a file of one secret of at least 16 bytes; a newline at its end does not count, for editors write one.

    Or of lines "group SECRET" and "ID SECRET" for each target, every SECRET 64 hexadecimal digits.
    Raises FileError if it cannot be read, UsageError if it is another user's, others may read it, or it makes no sense.
    """
    try:
        with open_named(path) as file:
            _check(path, os.fstat(file.fileno()))
            content = file.read(LINES_BYTES_MAX + 1).rstrip(b"\r\n")
    except OSError as error:
        raise FileError(f"cannot read the key file {path}: {error.strerror}") from error
    if content.startswith(_GROUP) and len(content) <= LINES_BYTES_MAX:
        return _read_lines(path, content)
    if not CONTENT_BYTES_MIN <= len(content) <= CONTENT_BYTES_MAX:
        raise UsageError(f"the key file {path} must hold {CONTENT_BYTES_MIN} to {CONTENT_BYTES_MAX} bytes")
    return Keys(hashlib.pbkdf2_hmac("sha256", content, _SALT, STRETCHES))


def _read_lines(path: str, content: bytes) -> Keys:
    secrets: dict[str, bytes] = {}
    for number, line in enumerate(content.decode("ascii", "replace").splitlines(), 1):
        label, _, digits = line.strip().partition(" ")
        if not label or label.startswith("#"):
            continue
        if not _SECRET.fullmatch(digits.strip()) or label in secrets or not (label == "group" or label.isdecimal()):
            raise UsageError(
                f"line {number} of the key file {path} must be: group or a target's number, and 64 hex digits"
            )
        secrets[label] = bytes.fromhex(digits)
    group = secrets.pop("group")
    return Keys(group, {int(label): secret for label, secret in secrets.items()})


def _check(path: str, status: os.stat_result) -> None:
    """Whoever owns the file, or may read it, is a member of every session; raises UsageError."""
    if status.st_uid not in (os.geteuid(), 0):
        raise UsageError(f"the key file {path} belongs to another user: chown it, or choose your own")
    if status.st_mode & 0o077:
        raise UsageError(f"the key file {path} is open to others: chmod 600 {path}")
