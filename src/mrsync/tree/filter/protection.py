"""Protect entries of a target from deletion by filter rules."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence

from mrsync.errors import MrsyncError, ProtocolDataError, RuleError
from mrsync.tree.filter import rules
from mrsync.tree.filter.filters import Filters, Scope
from mrsync.tree.filter.merge_files import TreeReader
from mrsync.tree.filter.rules import Rule, parse_rule
from mrsync.tree.model.failure import Failure
from mrsync.tree.model.manifest import Manifest
from mrsync.tree.model.policy import Policy
from mrsync.tuples import NamedTuple


class Closed:
    """The scope of a directory whose rules could not be read: everything in and below it is protected."""

    def excluded(
        self, names: Sequence[bytes], directories: Sequence[bytes] = (), *, has_perishable: bool = True
    ) -> set[bytes]:
        return set(names)


class DirectoryProtection(NamedTuple):
    """The protection of one directory, given by its path below the root."""

    protection: Protection
    path: bytes
    scope: Scope | Closed

    def safe(self, names: Sequence[bytes], directories: Sequence[bytes], *, is_going: bool = False) -> set[bytes]:
        """Return the protected ones of these names.

        directories: those that are directories. is_going: this directory itself is deleted: ignore perishable rules.
        """
        return self.scope.excluded(names, directories, has_perishable=not is_going)

    def within(self, name: bytes) -> DirectoryProtection:
        """Return the protection of a child directory, reading its merge files now."""
        return self.protection.guard(self.scope, self.path + b"/" + name if self.path else name)


class Protection:
    """The guards of a destination's directories; what merge files say is read once, before anything changes there.

    root: absolute. more: rules after those of the policy. failures: merge files that could not be used; below them
    nothing is deleted. Raises ProtocolDataError for rules that make no sense.
    """

    def __init__(self, manifest: Manifest, root: bytes, more: tuple[str, ...] = ()) -> None:
        policy = manifest.policy._replace(rules=manifest.policy.rules + more)
        self.failures: list[Failure] = []
        self._manifest = manifest
        self._filters = Filters(
            read_rules(policy),
            rules.RECEIVER,
            root,
            has_nuls=policy.rules_have_nuls,
            deletes_excluded=policy.deletes_excluded,
        )
        self._read = TreeReader(root)
        self._guards: dict[int, DirectoryProtection] = {}

    def of(self, directory: int) -> DirectoryProtection:
        """Return the protection of a directory entry, reading merge files of its parents first."""
        missing = [directory]
        while missing[-1] and missing[-1] not in self._guards:
            missing.append(self._manifest.parents[missing[-1]])
        if 0 not in self._guards:
            self._guards[0] = self.guard(self._filters.scope(), b"")
        for entry in reversed(missing):
            if entry not in self._guards:
                self._guards[entry] = self._guards[self._manifest.parents[entry]].within(self._manifest.names[entry])
        return self._guards[directory]

    def is_global(self, path: bytes) -> bool:
        """Return whether a directory is protected by rules other than those of merge files."""
        above, _, name = path.rpartition(b"/")
        return bool(self._filters.scope(above).excluded([name], [name]))

    def guard(self, above: Scope | Closed, path: bytes) -> DirectoryProtection:
        """Return the protection of the directory at path, reading its merge files now; above: its parent's scope."""
        if isinstance(above, Closed):
            return DirectoryProtection(self, path, above)
        try:
            return DirectoryProtection(self, path, above.within(path, self._read))
        except OSError as error:
            reason = error.errno or errno.EIO
        except MrsyncError:
            reason = errno.EINVAL
        self.failures.append(Failure(reason, path, "use the filter rules in"))
        return DirectoryProtection(self, path, Closed())


def read_rules(policy: Policy) -> list[Rule]:
    """Return the rules of a policy; raise ProtocolDataError if they are invalid or too large."""
    found = []
    total = 0
    for text in policy.rules:
        data = os.fsencode(text)
        total += len(data)
        try:
            rule = parse_rule(data, 0, "the manifest")
        except RuleError as error:
            raise ProtocolDataError(f"the manifest is damaged: {error}") from error
        if rule is None or b"\0" in data or total > rules.RULES_BYTES_MAX or not _is_plain(rule):
            raise ProtocolDataError("the manifest is damaged: its filter rules are too many or make no sense")
        found.append(rule)
    return found


def _is_plain(rule: Rule) -> bool:
    """Return whether a master may send rule: it expands all merges except per-directory ones."""
    if rule.flags & rules.CLEAR:
        return False
    return bool(rule.flags & rules.PER_DIRECTORY) or not rule.flags & (rules.MERGE | rules.CVS)
