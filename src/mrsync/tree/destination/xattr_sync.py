"""The extended attributes that a target is to have, by entry of the manifest."""

from __future__ import annotations

from collections.abc import Callable

from mrsync.tree.destination.refusals import ACLS, UNREAD, XATTRS, Refusals
from mrsync.tree.fs.handles import Handle
from mrsync.tree.fs.xattrs import target_keeper
from mrsync.tree.model import acl
from mrsync.tree.model.attributes import UNKNOWN, Attributes
from mrsync.tree.model.items import ACL, XATTR
from mrsync.tree.model.manifest import LINK, Manifest

_CAPABILITIES = b"security.capability"


class Kept:
    """Compares and sets attributes for entries; only to be asked where the policy keeps any.

    refusals: hears what could not be read or set.
    """

    def __init__(self, manifest: Manifest, refusals: Refusals, *, is_root: bool) -> None:
        self._manifest = manifest
        self._refusals = refusals
        self._is_root = is_root
        self._keeper = target_keeper(manifest.policy, is_root=is_root)
        self._settable: dict[int, Attributes] = {}

    def differences(self, entry: int, handle: Handle) -> int:
        """Flags ACL and XATTR for what is not as it should be."""
        wanted = self._wanted(entry)
        if wanted is None:
            return 0
        try:
            found = self._keeper.read(handle)
        except OSError as error:
            self._refusals.note(UNREAD, error.errno or 0, entry)
            return 0
        if wanted == found:
            return 0
        return (ACL if _acls(wanted) != _acls(found) else 0) | (XATTR if _others(wanted) != _others(found) else 0)

    def wants_capabilities(self, entry: int) -> bool:
        """Whether a file is to have rights of root's when it is run."""
        return any(name == _CAPABILITIES for name, _ in self._wanted(entry) or ())

    def set(self, entry: int, handle: Handle, set_mode: Callable[[], None]) -> None:
        """Set them when the entry has its owner; set_mode gives it its mode in between. Raises only what set_mode does.

        Attributes of users need the right to write, which the final mode may take away; ACLs belong to the final mode.
        """
        wanted = self._wanted(entry)
        if wanted is not None:
            self._attempt(XATTRS, entry, lambda: self._set_xattrs(entry, handle, wanted))
        set_mode()
        if wanted is not None and self._manifest.kind(entry) != LINK:
            mode = self._manifest.modes[entry]
            self._attempt(ACLS, entry, lambda: self._keeper.set_acls(handle, wanted, mode))

    def _set_xattrs(self, entry: int, handle: Handle, wanted: Attributes) -> None:
        try:
            self._keeper.set_xattrs(handle, wanted)
        except PermissionError:
            if self._is_root or self._manifest.kind(entry) == LINK:
                raise
            handle.chmod(handle.status().st_mode & 0o7777 | 0o200)
            self._keeper.set_xattrs(handle, wanted)

    def _attempt(self, attribute: str, entry: int, operation: Callable[[], None]) -> None:
        try:
            operation()
        except OSError as error:
            self._refusals.note(attribute, error.errno or 0, entry)

    def _wanted(self, entry: int) -> Attributes | None:
        """None: the source could not read them, so they stay as they are."""
        number = self._manifest.attribute_numbers[entry]
        if number == UNKNOWN:
            return None
        if number not in self._settable:
            self._settable[number] = self._keeper.settable(self._manifest.attributes[number])
        return self._settable[number]


def _acls(attributes: Attributes) -> Attributes:
    return tuple([pair for pair in attributes if pair[0] in acl.NAMES])


def _others(attributes: Attributes) -> Attributes:
    return tuple([pair for pair in attributes if pair[0] not in acl.NAMES])
