"""Read and set the extended attributes of one entry, limited to those that are preserved."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mrsync.tree.fs.handles import Handle, pinned
from mrsync.tree.model import acl
from mrsync.tree.model.attributes import Attributes
from mrsync.tree.model.failure import Changed
from mrsync.tree.model.policy import Policy

if TYPE_CHECKING:
    from mrsync.tree.filter.rules import Rule
    from mrsync.tree.filter.xattr_filter import AttributeFilter

_HIDDEN = b"user.rsync.%"  # rsync's own notes (--fake-super)


class XattrSelection:
    """The extended attributes that a policy preserves, by rsync's rules: root sets all but system.*, others user.*.

    is_root: whether this process is root. is_source: read everything that is readable. by_rules: filter rules that
    exclude names; they do not apply to ACLs.
    """

    def __init__(
        self, policy: Policy, *, is_root: bool, is_source: bool = False, by_rules: AttributeFilter | None = None
    ) -> None:
        self._has_xattrs = policy.xattrs
        self._has_acls = policy.acls
        self._has_all = is_root or is_source
        self._is_source = is_source
        self._by_rules = by_rules

    def keeps(self, name: bytes) -> bool:
        """Return whether an attribute with this name is preserved and, on a target, can be set here."""
        if name in acl.NAMES:
            return self._has_acls
        if not self._has_xattrs or name.startswith(b"system."):
            return False
        if self._is_source and name.startswith(_HIDDEN):
            return False
        if self._by_rules is not None and self._by_rules.excludes(name):
            return False
        return self._has_all or name.startswith(b"user.")

    def read(self, target: Handle) -> Attributes:
        """Return the preserved attributes; access ACLs are reduced by the permissions in the mode. Raise OSError."""
        found = []
        for name in self._names(target):
            value = target.xattr(name)
            if name == acl.ACCESS:
                value = _without_mode(value)
            if value or name != acl.ACCESS:
                found.append((name, value))
        return tuple(found)

    def read_of(
        self, directory_fd: int, name: bytes, expected: tuple[int, int, int], *, follows: bool = False
    ) -> Attributes:
        """Return the preserved attributes of a name in a directory. Raise OSError.

        expected: mode, owner and group. Raise Changed if it has others: a user who may rename entries there could
        give a capability of root's program to one of their own. follows: of what a soft link leads to.
        """
        with pinned(directory_fd, name, follows=follows) as handle:
            status = handle.status()
            if (status.st_mode, status.st_uid, status.st_gid) != expected:
                raise Changed("it was replaced")
            return self.read(handle)

    def settable(self, wanted: Attributes) -> Attributes:
        """Return the attributes of a set that this process can set."""
        return tuple([pair for pair in wanted if self.keeps(pair[0])])

    def set_xattrs(self, target: Handle, wanted: Attributes) -> None:
        """Set, replace and remove attributes other than ACLs. Try all, then raise the first OSError."""
        self._bring_in_line(target, {name: value for name, value in wanted if name not in acl.NAMES}, is_acl=False)

    def set_acls(self, target: Handle, wanted: Attributes, mode: int) -> None:
        """Do the same with ACLs. mode: the permission bits that the entry already has, which its access ACL repeats."""
        values = {name: value for name, value in wanted if name in acl.NAMES}
        if acl.ACCESS in values:
            values[acl.ACCESS] = acl.with_mode(values[acl.ACCESS], mode)
        self._bring_in_line(target, values, is_acl=True)

    def _bring_in_line(self, target: Handle, wanted: dict[bytes, bytes], *, is_acl: bool) -> None:
        first: OSError | None = None
        names = [name for name in self._names(target) if (name in acl.NAMES) is is_acl]
        for name in sorted({*names, *wanted}):
            try:
                if name not in wanted:
                    target.remove_xattr(name)
                elif name not in names or target.xattr(name) != wanted[name]:
                    target.set_xattr(name, wanted[name])
            except OSError as error:
                first = first or error
        if first is not None:
            raise first

    def _names(self, target: Handle) -> list[bytes]:
        """Return the preserved names, sorted; none if the file system does not support attributes."""
        try:
            listed = target.xattr_names()
        except OSError as error:
            if error.errno == errno.ENOTSUP:
                return []
            raise
        return sorted(filter(self.keeps, listed)) if listed else []


def source_xattr_selection(policy: Policy, ordered: Sequence[Rule]) -> XattrSelection:
    """Return the selection for the source. ordered: its filter rules."""
    by_rules = None
    if policy.xattrs and ordered:
        from mrsync.tree.filter import rules
        from mrsync.tree.filter.xattr_filter import attribute_filter

        by_rules = attribute_filter(ordered, rules.SENDER)
    return XattrSelection(policy, is_root=os.geteuid() == 0, is_source=True, by_rules=by_rules)


def target_xattr_selection(policy: Policy, *, is_root: bool) -> XattrSelection:
    """Return the selection for a target. Raise ProtocolDataError if the policy's rules are not valid."""
    by_rules = None
    if policy.xattrs and policy.rules:
        from mrsync.tree.filter import rules
        from mrsync.tree.filter.protection import read_rules
        from mrsync.tree.filter.xattr_filter import attribute_filter

        by_rules = attribute_filter(read_rules(policy), rules.RECEIVER)
    return XattrSelection(policy, is_root=is_root, by_rules=by_rules)


def _without_mode(value: bytes) -> bytes:
    try:
        return acl.without_mode(value)
    except ValueError as error:
        raise OSError(errno.EINVAL, str(error)) from error
