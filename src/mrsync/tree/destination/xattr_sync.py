"""The extended attributes that a target is to have, by entry of the manifest."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable

from mrsync.tree.fs.xattrs import Target, target_keeper
from mrsync.tree.model import acl
from mrsync.tree.model.attributes import UNKNOWN, Attributes
from mrsync.tree.model.failure import Failure
from mrsync.tree.model.items import ACL, XATTR
from mrsync.tree.model.manifest import LINK, Manifest


class Kept:
    """Compares and sets attributes for entries; only to be asked where the policy keeps any.

    failures: what could not be read or set; a file system that knows none of what it should is told once.
    """

    def __init__(self, manifest: Manifest, *, is_root: bool) -> None:
        self.failures: list[Failure] = []
        self._manifest = manifest
        self._is_root = is_root
        self._keeper = target_keeper(manifest.policy, is_root=is_root)
        self._settable: dict[int, Attributes] = {}
        self._poor_devices: set[int] = set()

    def differences(self, entry: int, target: Target) -> int:
        """Flags ACL and XATTR for what is not as it should be."""
        wanted = self._wanted(entry)
        if wanted is None:
            return 0
        try:
            found = self._keeper.read(target)
        except OSError as error:
            self._tell(error, entry, "read the attributes of", target)
            return 0
        if wanted == found:
            return 0
        return (ACL if _acls(wanted) != _acls(found) else 0) | (XATTR if _others(wanted) != _others(found) else 0)

    def set(self, entry: int, target: Target, set_mode: Callable[[], None]) -> None:
        """Set them when the entry has its owner; set_mode gives it its mode in between. Raises only what set_mode does.

        Attributes of users need the right to write, which the final mode may take away; ACLs belong to the final mode.
        """
        wanted = self._wanted(entry)
        if wanted is not None:
            self._attempt(entry, target, lambda: self._set_xattrs(target, wanted))
        set_mode()
        if wanted is not None and self._manifest.kind(entry) != LINK:
            mode = self._manifest.modes[entry]
            self._attempt(entry, target, lambda: self._keeper.set_acls(target, wanted, mode))

    def take_failures(self) -> list[Failure]:
        """Those since the last call."""
        taken, self.failures = self.failures, []
        return taken

    def _set_xattrs(self, target: Target, wanted: Attributes) -> None:
        try:
            self._keeper.set_xattrs(target, wanted)
        except PermissionError:
            if self._is_root or not isinstance(target, int):
                raise
            os.chmod(f"/proc/self/fd/{target}", os.fstat(target).st_mode & 0o7777 | 0o200)
            self._keeper.set_xattrs(target, wanted)

    def _attempt(self, entry: int, target: Target, operation: Callable[[], None]) -> None:
        try:
            operation()
        except OSError as error:
            self._tell(error, entry, "set the attributes of", target)

    def _wanted(self, entry: int) -> Attributes | None:
        """None: the source could not read them, so they stay as they are."""
        number = self._manifest.attribute_numbers[entry]
        if number == UNKNOWN:
            return None
        if number not in self._settable:
            self._settable[number] = self._keeper.settable(self._manifest.attributes[number])
        return self._settable[number]

    def _tell(self, error: OSError, entry: int, action: str, target: Target) -> None:
        if error.errno == errno.ENOTSUP:
            device = (os.fstat(target) if isinstance(target, int) else os.lstat(target)).st_dev
            if device in self._poor_devices:
                return
            self._poor_devices.add(device)
        self.failures.append(Failure(error.errno or 0, self._manifest.path(entry), action))


def _acls(attributes: Attributes) -> Attributes:
    return tuple([pair for pair in attributes if pair[0] in acl.NAMES])


def _others(attributes: Attributes) -> Attributes:
    return tuple([pair for pair in attributes if pair[0] not in acl.NAMES])
