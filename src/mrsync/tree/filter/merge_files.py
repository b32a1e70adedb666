"""Read ordered rules from texts and files, including the files that they merge."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Callable, Iterator

from mrsync.errors import FileError, RuleError
from mrsync.files import open_regular, open_regular_below
from mrsync.tree.filter import rules
from mrsync.tree.filter.rules import Rule, parse_rule
from mrsync.tree.model.failure import printable

RULE_FILE_BYTES_MAX = 1 << 20  # of a file in a tree, with all that it merges
SMALL_FILE_BYTES = 1 << 10  # most files have no more
LARGE_FILES_BYTES_MAX = 64 << 20  # of what all files in a tree have beyond that
MERGE_DEPTH_MAX = 16  # nested merge files; more must be a cycle

# Patterns that CVS ignores, according to its manual and rsync's.
_CVS_PATTERNS = b"""
    RCS SCCS CVS CVS.adm RCSLOG cvslog.* tags TAGS .make.state .nse_depinfo *~ #* .#* ,* _$* *$ *.old *.bak *.BAK
    *.orig *.rej .del-* *.a *.olb *.o *.obj *.so *.exe *.Z *.elc *.ln core .svn/ .git/ .hg/ .bzr/
"""

_NUL, _LINE_END = re.compile(rb"\0"), re.compile(rb"\r\n|\r|\n")

Read = Callable[[bytes], bytes]  # raises OSError


class RuleList:
    """Rules in the order in which they are added; per-directory merge rules among them, others replaced by their file.

    read: the whole of a file. has_nuls: entries of files end in NUL, not in a newline. deletes_excluded: rules that
    name no side are for the sender only. directory: absolute path of a per-directory merge file's directory: what it
    anchors is anchored there, and errors do not quote it, as it may be another user's. Such a file, with those that it
    merges, has a limit (OSError): a few files that merge each other many times would take years. root: of the tree;
    other files are found from there. Raises RuleError, FileError.
    """

    def __init__(
        self,
        read: Read,
        *,
        has_nuls: bool = False,
        deletes_excluded: bool = False,
        directory: bytes | None = None,
        root: bytes = b"",
    ) -> None:
        self.rules: list[Rule] = []
        self.is_cleared = False  # a clearing rule also drops inherited rules
        self._read = read
        self.has_nuls = has_nuls
        self._deletes_excluded = deletes_excluded
        self._directory = directory
        self._root = root
        self._depth = 0
        self._bytes = 0

    def add(self, text: bytes, where: str, template: int = 0, *, is_old: bool = False) -> None:
        """Add one rule, parsed as by `parse_rule`. Raise RuleError.

        where: where the text is, for messages. text, template, is_old: as there.
        """
        self._add(text, template, where, is_old=is_old)

    def add_file(self, path: bytes, template: int = 0, *, is_old: bool = False) -> None:
        """Add all rules of a file. template, is_old: as for `parse_rule`. Raise FileError, or RuleError."""
        if self._depth >= MERGE_DEPTH_MAX:
            raise RuleError(f"{self._shown(path)}: rule files merge one another without end")
        try:
            data = self._read(path)
        except OSError as error:
            raise FileError(f"cannot read the rules in {self._shown(path)}: {os.strerror(error.errno or 0)}") from error
        self._count(data, path)
        self._depth += 1
        for line, text in split_entries(data, has_nuls=self.has_nuls, has_words=bool(template & rules.WORDS)):
            self._add(text, template, f"{self._shown(path)}, line {line}", is_old=is_old)
        self._depth -= 1

    def add_data(self, data: bytes, path: bytes, template: int) -> None:
        """Add the rules in data, the contents of the per-directory merge file at this path.

        template: the flags of the rule that names the merge file, which its rules inherit. Raise RuleError.
        """
        self._count(data, path)
        for line, text in split_entries(data, has_nuls=self.has_nuls, has_words=bool(template & rules.WORDS)):
            self._add(text, template, f"{printable(path)}, line {line}", is_anchored=True)

    def _count(self, data: bytes, path: bytes) -> None:
        self._bytes += len(data)
        if self._directory is not None and self._bytes > RULE_FILE_BYTES_MAX:
            raise too_much(path)

    def _add(self, text: bytes, template: int, where: str, *, is_old: bool = False, is_anchored: bool = False) -> None:
        rule = parse_rule(text, template, where, is_old=is_old, is_quoted=self._directory is None)
        if rule is None:
            return
        if rule.flags & rules.CLEAR:
            self.rules.clear()
            self.is_cleared = True
        elif rule.flags & rules.MERGE:
            self._add_merge(rule, template)
        elif rule.flags & rules.CVS:
            self._add_cvs(rule)
        else:
            pattern, flags = rule
            if is_anchored and self._directory is not None and pattern[:1] == b"/" and not flags & rules.ABSOLUTE:
                pattern, flags = self._directory + pattern, flags | rules.ABSOLUTE
            self._append(pattern, flags)

    def _append(self, pattern: bytes, flags: int) -> None:
        if self._deletes_excluded and not flags & rules.SIDES:
            flags |= rules.SENDER
        self.rules.append(Rule(pattern, flags))

    def _add_merge(self, rule: Rule, template: int) -> None:
        name = rule.pattern.rpartition(b"/")[2]
        if name and rule.flags & rules.EXCLUDES_SELF:
            flags = template & rules.PERISHABLE
            if self._directory is None:
                self._append(name, flags)
            else:
                self.rules.append(Rule(name, flags))  # it names no side, but rsync keeps it for both
        merge = Rule(rule.pattern, rule.flags & ~rules.EXCLUDES_SELF)
        if rule.flags & rules.PER_DIRECTORY:
            self.rules.append(merge)
        else:
            self.add_file(self._path_of(rule.pattern), merge.flags)

    def _shown(self, path: bytes) -> str:
        """Hide a path named by a file in a tree, because it discloses text of that file."""
        if self._directory is None:
            return printable(path)
        return f"a file merged by a file in {printable(self._directory)}"

    def _path_of(self, name: bytes) -> bytes:
        """Return the path of the file that a merge rule names. In a per-directory file, plain names are in the root."""
        if self._directory is None or name[:1] == b"/":
            return name
        return os.path.normpath(os.path.join(self._directory if b"/" in name else self._root, name))

    def _add_cvs(self, rule: Rule) -> None:
        """Add the patterns built into CVS, those of the user's .cvsignore and those of $CVSIGNORE."""
        for word in _CVS_PATTERNS.split():
            self._append_word(word, rule.flags | rules.PERISHABLE)
        home = os.environb.get(b"HOME")
        try:
            data = self._read(os.path.join(home, b".cvsignore")) if home else b""
        except OSError:
            data = b""
        for word in data.split() + os.environb.get(b"CVSIGNORE", b"").split():
            self._append_word(word, rule.flags)

    def _append_word(self, word: bytes, template: int) -> None:
        rule = parse_rule(word, template, "the words for CVS")
        if rule is not None and rule.flags & rules.CLEAR:
            self.rules.clear()
        elif rule is not None:
            self._append(*rule)


class TreeReader:
    """Reads the merge files of a tree, which users of this host may have written; OSError.

    root: absolute path of the tree. No link is followed below it, and only a regular file is read: any other kind is
    taken for an empty one. A file elsewhere that a merge file names is read only if everybody may read it. Large files
    are read only up to a limit for the whole tree, as rules take many times the memory of their text.
    """

    def __init__(self, root: bytes) -> None:
        self._root = root.rstrip(b"/")
        self._left = LARGE_FILES_BYTES_MAX

    def __call__(self, path: bytes) -> bytes:
        try:
            fd = self._open(path)
        except OSError as error:
            if error.errno == errno.ESTALE:
                return b""
            raise OSError(error.errno, error.strerror, path) from error
        try:
            data = _read_all(fd)
        finally:
            os.close(fd)
        counted = max(0, len(data) - SMALL_FILE_BYTES)
        if counted > self._left:
            raise too_much(path)
        self._left -= counted
        return data

    def _open(self, path: bytes) -> int:
        if path.startswith(self._root + b"/"):
            return open_regular_below(self._root, path[len(self._root) + 1 :])
        fd = open_regular(path)
        is_above = self._root.startswith(os.path.dirname(path).rstrip(b"/") + b"/")
        if is_above or os.fstat(fd).st_mode & stat.S_IROTH:
            return fd
        os.close(fd)
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def _read_all(fd: int) -> bytes:
    parts = []
    left = RULE_FILE_BYTES_MAX + 1
    while left and (data := os.read(fd, left)):
        parts.append(data)
        left -= len(data)
    if not left:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
    return b"".join(parts)


def too_much(path: bytes) -> OSError:
    """Return the error for a file with which there would be too many rules."""
    return OSError(errno.EFBIG, os.strerror(errno.EFBIG), path)


def _pieces(data: bytes, separator: re.Pattern[bytes]) -> Iterator[bytes]:
    """Yield what is between separators. A list of all pieces would take many times the memory of the data."""
    start = 0
    for found in separator.finditer(data):
        yield data[start : found.start()]
        start = found.end()
    yield data[start:]


def split_entries(data: bytes, *, has_nuls: bool, has_words: bool = False) -> Iterator[tuple[int, bytes]]:
    """Yield (line number, entry) of a file of rules, without empty entries and comments.

    has_nuls: entries end with zero bytes, not with lines. has_words: each word is an entry, and there are no comments.
    """
    for number, line in enumerate(_pieces(data, _NUL if has_nuls else _LINE_END), 1):
        for entry in line.split() if has_words else [line]:
            text = entry.partition(b"\0")[0]
            if text and (has_words or text[:1] not in (b"#", b";")):
                yield number, text
