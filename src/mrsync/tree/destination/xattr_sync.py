"""Compare and set extended attributes and ACLs of entries."""

from __future__ import annotations

from collections.abc import Callable

from mrsync.tree.destination.refusals import ACLS, UNREAD, XATTRS, Refusals
from mrsync.tree.fs.handles import Handle
from mrsync.tree.fs.xattrs import target_xattr_selection
from mrsync.tree.model import acl
from mrsync.tree.model.attributes import UNKNOWN, Attributes
from mrsync.tree.model.items import ACL, XATTR
from mrsync.tree.model.manifest import LINK, Manifest

_CAPABILITIES = b"security.capability"


class XattrSync:
    """Compare and set extended attributes. Construct it only if the policy preserves any.

    refusals: takes what could not be read or set. is_root: whether this process may set all but system.* attributes.
    """

    def __init__(self, manifest: Manifest, refusals: Refusals, *, is_root: bool) -> None:
        self._manifest = manifest
        self._refusals = refusals
        self._is_root = is_root
        self._xattr_selection = target_xattr_selection(manifest.policy, is_root=is_root)
        self._settable: dict[int, Attributes] = {}

    def differences(self, entry: int, handle: Handle) -> int:
        """Return the flags ACL and XATTR for what differs from the manifest."""
        wanted = self._wanted(entry)
        if wanted is None:
            return 0
        try:
            found = self._xattr_selection.read(handle)
        except OSError as error:
            self._refusals.note(UNREAD, error.errno or 0, entry)
            return 0
        if wanted == found:
            return 0
        return (ACL if _acls(wanted) != _acls(found) else 0) | (XATTR if _others(wanted) != _others(found) else 0)

    def wants_capabilities(self, entry: int) -> bool:
        """Return whether a file is to have file capabilities."""
        return any(name == _CAPABILITIES for name, _ in self._wanted(entry) or ())

    def set(self, entry: int, handle: Handle, set_mode: Callable[[], None]) -> None:
        """Set xattrs, call set_mode, then set ACLs. The owner must be set already.

        The order matters: user xattrs need permission to write, which the final mode may remove, and an ACL builds on
        the final mode. Failures are noted as refusals; only exceptions of set_mode are raised.
        """
        wanted = self._wanted(entry)
        if wanted is not None:
            self._attempt(XATTRS, entry, lambda: self._set_xattrs(entry, handle, wanted))
        set_mode()
        if wanted is not None and self._manifest.kind(entry) != LINK:
            mode = self._manifest.modes[entry]
            self._attempt(ACLS, entry, lambda: self._xattr_selection.set_acls(handle, wanted, mode))

    def _set_xattrs(self, entry: int, handle: Handle, wanted: Attributes) -> None:
        try:
            self._xattr_selection.set_xattrs(handle, wanted)
        except PermissionError:
            if self._is_root or self._manifest.kind(entry) == LINK:
                raise
            handle.chmod(handle.status().st_mode & 0o7777 | 0o200)
            self._xattr_selection.set_xattrs(handle, wanted)

    def _attempt(self, attribute: str, entry: int, operation: Callable[[], None]) -> None:
        try:
            operation()
        except OSError as error:
            self._refusals.note(attribute, error.errno or 0, entry)

    def _wanted(self, entry: int) -> Attributes | None:
        """Return the attributes to set, or None if the source could not read them, so that they stay as they are."""
        number = self._manifest.attribute_numbers[entry]
        if number == UNKNOWN:
            return None
        if number not in self._settable:
            self._settable[number] = self._xattr_selection.settable(self._manifest.attributes[number])
        return self._settable[number]


def _acls(attributes: Attributes) -> Attributes:
    return tuple([pair for pair in attributes if pair[0] in acl.NAMES])


def _others(attributes: Attributes) -> Attributes:
    return tuple([pair for pair in attributes if pair[0] not in acl.NAMES])
