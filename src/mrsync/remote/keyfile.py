"""Read key files: the secrets of casters and catchers that are started by hand."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence

from mrsync.errors import FileError, UsageError
from mrsync.files import open_named
from mrsync.tuples import NamedTuple

CONTENT_BYTES_MIN = 16
CONTENT_BYTES_MAX = 4096
LINES_BYTES_MAX = 1 << 20  # room for one line per target

# PBKDF2 iterations. Each guess of a passphrase costs about 0.1 s, which does not make a short one safe.
STRETCHES = 100_000
_SALT = b"mrsync key file"  # constant, because both ends must derive the same secret from the file alone
_GROUP = b"group "
_LABEL = re.compile(r"group|[0-9]{1,9}")
_SECRET = re.compile("[0-9A-Fa-f]{64}")

INSECURE_SECRET = hashlib.sha256(b"mrsync --insecure").digest()  # public: guards against accidents only


class Keys(NamedTuple):
    """The contents of a key file. group: the secret that all members share. own: secrets of single targets, by id."""

    group: bytes
    own: dict[int, bytes] = {}  # noqa: RUF012  # never modified

    def of_all(self, targets: Sequence[str]) -> tuple[bytes, ...]:
        """Return the own secrets of all targets in order, or () if there are none.

        Raise UsageError if one is missing.
        """
        if not self.own:
            return ()
        for number, name in enumerate(targets):
            if number not in self.own:
                raise UsageError(f"the key file has a line for some targets, but none for number {number} ({name})")
        return tuple(self.own[number] for number in range(len(targets)))

    def of_one(self, target: int) -> bytes:
        """Return this target's own secret, or b"" if no target has one.

        Raise UsageError if only other targets have one.
        """
        if self.own and target not in self.own:
            raise UsageError(f"the key file has a line for other targets, but none for number {target}")
        return self.own.get(target, b"")


INSECURE_KEYS = Keys(INSECURE_SECRET)


def read_keys(path: str) -> Keys:
    """Read a key file.

    It has one secret of at least 16 bytes (a trailing newline is removed), or lines "group SECRET" and "ID SECRET" for
    each target, where SECRET is 64 hexadecimal digits. Raise FileError if the file cannot be read. Raise UsageError if
    it belongs to another user, is accessible to others, or is malformed.
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
        label, _, digits = map(str.strip, line.strip().partition(" "))
        if not label or label.startswith("#"):
            continue
        if label.isascii() and label.isdecimal():
            label = label.lstrip("0") or "0"  # 07 is 7
        if not _SECRET.fullmatch(digits) or label in secrets or not _LABEL.fullmatch(label):
            raise UsageError(
                f"line {number} of the key file {path} must be: group or a target's number, and 64 hex digits"
            )
        secrets[label] = bytes.fromhex(digits)
    group = secrets.pop("group")
    return Keys(group, {int(label): secret for label, secret in secrets.items()})


def _check(path: str, status: os.stat_result) -> None:
    """Raise UsageError unless only this user and root can read or change the file.

    Every user who can read it can join every session.
    """
    if status.st_uid not in (os.geteuid(), 0):
        raise UsageError(f"the key file {path} belongs to another user: chown it, or choose your own")
    if status.st_mode & 0o077:
        raise UsageError(f"the key file {path} is open to others: chmod 600 {path}")
