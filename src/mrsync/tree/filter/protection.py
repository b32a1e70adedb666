"""What filter rules keep safe from deletion on a target."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from typing import NamedTuple

from mrsync.errors import MrsyncError, ProtocolDataError, RuleError
from mrsync.tree.filter import rules
from mrsync.tree.filter.filters import Filters, Scope
from mrsync.tree.filter.merge_files import TreeReader
from mrsync.tree.filter.rules import Rule, parse_rule
from mrsync.tree.model.failure import Failure
from mrsync.tree.model.manifest import Manifest
from mrsync.tree.model.policy import Policy

RULES_BYTES_MAX = 1 << 20


class Closed:
    """Where rules could not be read: nothing may be deleted, nor below."""

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
        """Which of these names may not be deleted; is_going: perishable rules do not count in a directory that goes."""
        return self.scope.excluded(names, directories, has_perishable=not is_going)

    def within(self, name: bytes) -> DirectoryProtection:
        """Of a directory right below; its merge files are read now."""
        return self.protection.guard(self.scope, self.path + b"/" + name if self.path else name)


class Protection:
    """The guards of a destination's directories; what merge files say is read once, before anything changes there.

    root: absolute. more: rules behind those of the policy. failures: merge files that could not be used; below them
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
        """The guard of a directory of the manifest."""
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
        """Whether a directory is protected by rules other than those of merge files."""
        above, _, name = path.rpartition(b"/")
        return bool(self._filters.scope(above).excluded([name], [name]))

    def guard(self, above: Scope | Closed, path: bytes) -> DirectoryProtection:
        """Of a directory whose merge files are read now."""
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
    """The rules of a policy; ProtocolDataError if they are none, or too many to compile."""
    found = []
    total = 0
    for text in policy.rules:
        data = os.fsencode(text)
        total += len(data)
        try:
            rule = parse_rule(data, 0, "the manifest")
        except RuleError as error:
            raise ProtocolDataError(f"the manifest is damaged: {error}") from error
        if rule is None or b"\0" in data or total > RULES_BYTES_MAX or not _is_plain(rule):
            raise ProtocolDataError("the manifest is damaged: its filter rules are too many or make no sense")
        found.append(rule)
    return found


def _is_plain(rule: Rule) -> bool:
    """What a master sends has been expanded but for per-directory merges."""
    if rule.flags & rules.CLEAR:
        return False
    return bool(rule.flags & rules.PER_DIRECTORY) or not rule.flags & (rules.MERGE | rules.CVS)
