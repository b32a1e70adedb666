"""Translate the output of rsync's dry run to a synclist. Where the text is ambiguous, the source decides."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress

from mrsync.errors import SelectionError
from mrsync.tree.lists.lookup import SourceLookup
from mrsync.tree.lists.synclist import Instruction, Item, checked_path, shown, unescape
from mrsync.tuples import NamedTuple

ITEMIZED = re.compile(rb"([<>ch.])([fdLDS])([.+? a-zA-Z]{9}) (.+)", re.DOTALL)
DELETED = re.compile(rb"\*deleting   (.+)", re.DOTALL)
CHATTER = re.compile(
    rb"(?:sending|receiving) (?:incremental )?file list|building file list \.\.\.(?: done)?|done|created directory .*"
    rb"|sent \S+ bytes  received .*|total size is .*  speedup is .*|total: matches=.*|\S+ files(?: to consider|\.\.\.)"
    rb"|skipping (?:non-regular file|directory|mount point|unsafe symlink) .*|ignoring unsafe symlink .*"
    rb"|cannot delete (?:non-empty directory|mount point): .*|could not make way for .*|file has vanished: .*"
    rb"|IO error encountered -- skipping file deletion|Deletions stopped due to --max-delete limit .*"
    rb"|rsync(?:d?:| error:| warning:) .*|\[\w+\] .*|delta-transmission (?:dis|en)abled.*|.* is uptodate"
    rb"|(?:Number of|Total|Literal|Matched|File list) .*: .*",
    re.DOTALL,
)
_LINK_ARROW = b" -> "
_LEADER_ARROW = b" => "
_DELETING = b"deleting "


class Translation(NamedTuple):
    """The result of `translate`. items: in rsync's order. doubts: one sentence for each line without a sure meaning."""

    items: list[Item]
    doubts: list[str]


def translate(
    lines: Iterable[bytes], source: bytes, *, is_itemized: bool | None = None, is_whole: bool = False
) -> Translation:
    """Translate the output of `rsync -avW --dry-run --delete [-H] [-i]` on `source` to items of a synclist.

    is_itemized: whether it is output of `-i`; None: find out. is_whole: no option has left out files, directories and
    links of the source, so that whoever says that one of these is to be deleted lies. Raise SelectionError if the
    source cannot be read, or if no line is one of `-i` and all should be.
    """
    stripped = [line[:-1] if line.endswith(b"\n") else line for line in lines]
    look = SourceLookup(source)
    try:
        if is_itemized is None:
            is_itemized = _looks_itemized(stripped, look)
        elif is_itemized and not _has_itemized(stripped):
            raise SelectionError("this is no output of rsync -i; leave out --itemized, or give -i to rsync")
        translator = _Translator(look)
        translation = translator.run(stripped, is_itemized)
        return translator.without_lies(translation) if is_whole else translation
    finally:
        look.close()


class _Translator:
    def __init__(self, look: SourceLookup) -> None:
        self._look = look
        self._items: list[Item] = []
        self._doubts: list[str] = []

    def run(self, lines: list[bytes], is_itemized: bool) -> Translation:
        take = self._take_itemized if is_itemized else self._take_plain
        first, end = _body(lines)
        for number, line in enumerate(lines[first:end], first + 1):
            try:
                if line:
                    take(line)
            except ValueError as error:
                self._doubts.append(f"line {number}, {_shown(line)}: {error}")
        return Translation(list(dict.fromkeys(self._items)), self._doubts)  # a dry run may list an entry twice

    def without_lies(self, translation: Translation) -> Translation:
        """Leave out deletions of what the source has, unless it is to take the place of what is deleted."""
        listed = {item.path for item in translation.items if item.kind is not Instruction.DELETING}
        lies = [
            item
            for item in translation.items
            if item.kind is Instruction.DELETING and item.path not in listed and self._is_sent(item.path)
        ]
        doubts = [f"{_shown(lie.path)}: the source has it, so it is not deleted" for lie in lies]
        left_out = set(lies)
        return Translation([item for item in translation.items if item not in left_out], translation.doubts + doubts)

    def _is_sent(self, path: bytes) -> bool:
        status = self._look.status(path)
        return status is not None and stat.S_IFMT(status.st_mode) in (stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK)

    # output of rsync -i: the first word tells the meaning of a line

    def _take_itemized(self, line: bytes) -> None:
        if match := DELETED.fullmatch(line):
            self._delete(match[1])
        elif match := ITEMIZED.fullmatch(line):
            self._items += self._itemized(*match.groups())
        elif not CHATTER.fullmatch(line):
            raise ValueError("this is no line of rsync -i")

    def _itemized(self, update: bytes, kind: bytes, attributes: bytes, text: bytes) -> Iterator[Item]:
        if update == b"." and not attributes.strip(b". "):
            return  # nothing differs: rsync -ii
        raw = unescape(text)
        if update == b"h":
            yield from self._hard_links(raw)
        elif kind == b"L":
            yield from self._soft_links(raw, Instruction.ATTRIBUTES if update == b"." else Instruction.SYMLINK)
        elif kind == b"d":
            yield Item(Instruction.DIRECTORY, checked_path(raw))
        elif update == b".":
            yield Item(Instruction.ATTRIBUTES, checked_path(raw))
        else:
            yield Item(Instruction.FILE if kind == b"f" else Instruction.SPECIAL, checked_path(raw))

    def _hard_links(self, raw: bytes) -> Iterator[Item]:
        """Yield the item for `name => leader`. If several splits are possible, send all names that fit as files."""
        found = self._leader_splits(raw)
        if len(found) == 1:
            yield Item(Instruction.HARDLINK, *map(checked_path, found[0]))
        elif found:
            yield from (
                Item(Instruction.FILE, checked_path(path)) for path in sorted({path for pair in found for path in pair})
            )
        elif self._look.status(raw) is not None:
            # It is linked already to what changes, which is listed, too.
            yield Item(Instruction.ATTRIBUTES, checked_path(raw))
        else:
            raise ValueError("the source has no such hard link")

    def _soft_links(self, raw: bytes, kind: Instruction) -> Iterator[Item]:
        found = self._target_splits(raw)
        if not found and raw.count(_LINK_ARROW) == 1:
            found = [tuple(raw.split(_LINK_ARROW))]  # it is gone or changed; the scan of the list will notice
        if not found and (target := self._look.link_target(raw)):
            found = [(raw, target)]
        if not found:
            raise ValueError("the source has no such soft link")
        for name, target in found:
            yield Item(kind, checked_path(name), target if kind is Instruction.SYMLINK else b"")

    def _leader_splits(self, raw: bytes) -> list[tuple[bytes, ...]]:
        return [pair for pair in _splits(raw, _LEADER_ARROW) if self._is_one_file(*pair)]

    def _target_splits(self, raw: bytes) -> list[tuple[bytes, ...]]:
        return [pair for pair in _splits(raw, _LINK_ARROW) if pair[1] and self._look.link_target(pair[0]) == pair[1]]

    def _is_one_file(self, name: bytes, leader: bytes) -> bool:
        one, other = self._look.status(name), self._look.status(leader)
        return one is not None and other is not None and os.path.samestat(one, other)

    def _delete(self, text: bytes) -> None:
        path = checked_path(unescape(text))
        if not path:
            raise ValueError("the root cannot be deleted")
        self._items.append(Item(Instruction.DELETING, path))

    # output of rsync -v: only the source tells the meaning of a line

    def _take_plain(self, line: bytes) -> None:
        raw = unescape(line)
        found = self._entries(raw)
        self._items += found
        if line.startswith(_DELETING):
            deleted = unescape(line[len(_DELETING) :])
            if not found:
                self._delete(line[len(_DELETING) :])
            elif self._look.status(deleted) is None:
                raise ValueError("taken for the file of that name, nothing is deleted; rsync's -i would tell")
        elif not found and not CHATTER.fullmatch(line):
            raise ValueError("the source has no such entry")

    def _entries(self, raw: bytes) -> list[Item]:
        """Return every entry of the source that the line may stand for."""
        if raw.endswith(b"/"):
            status = self._look.status(raw)
            if status is not None and stat.S_ISDIR(status.st_mode):
                return [Item(Instruction.DIRECTORY, checked_path(raw))]
        items = [Item(Instruction.SYMLINK, checked_path(name), target) for name, target in self._target_splits(raw)]
        pairs = self._leader_splits(raw)
        exact = self._exact(raw)
        if len(pairs) == 1 and not exact:
            items.append(Item(Instruction.HARDLINK, *map(checked_path, pairs[0])))
        elif pairs:
            items += [
                Item(Instruction.FILE, checked_path(path)) for path in sorted({path for pair in pairs for path in pair})
            ]
        return items + exact

    def _exact(self, raw: bytes) -> list[Item]:
        """Return the entry with exactly this name, if it is not a directory or soft link (rsync marks those)."""
        status = self._look.status(raw) if not raw.endswith(b"/") else None
        if status is None or stat.S_ISDIR(status.st_mode) or stat.S_ISLNK(status.st_mode):
            return []
        return [Item(Instruction.FILE if stat.S_ISREG(status.st_mode) else Instruction.SPECIAL, checked_path(raw))]


def _shown(line: bytes) -> str:
    """Return a line for printing. Do not escape again what rsync has escaped."""
    with suppress(ValueError):
        line = unescape(line)
    return shown(line)


def _splits(raw: bytes, arrow: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield every way to split `name ARROW rest`."""
    position = raw.find(arrow, 1)
    while position > 0:
        yield raw[:position], raw[position + len(arrow) :]
        position = raw.find(arrow, position + 1)


def _body(lines: list[bytes]) -> tuple[int, int]:
    """Return the range [first, end) of lines without rsync's first line and summary.

    Only their position distinguishes these from file names that look like them.
    """
    first = 1 if lines and CHATTER.fullmatch(lines[0]) else 0
    end = len(lines)
    while end > first and CHATTER.fullmatch(lines[end - 1]):
        end -= 1
    return first, end if end > first and not lines[end - 1] else len(lines)  # an empty line comes before the summary


def _has_itemized(lines: list[bytes]) -> bool:
    """Return whether some line is one of -i, or all are rsync's own messages."""
    first, end = _body(lines)
    entries = [line for line in lines[first:end] if line and not CHATTER.fullmatch(line)]
    return not entries or any(DELETED.fullmatch(line) or ITEMIZED.fullmatch(line) for line in entries)


def _looks_itemized(lines: list[bytes], look: SourceLookup) -> bool:
    """Return whether every line, apart from rsync's own, looks like output of -i and is not a name in the source."""
    entries = [line for line in lines if line and not CHATTER.fullmatch(line)]
    return bool(entries) and all(
        (DELETED.fullmatch(line) or ITEMIZED.fullmatch(line)) and look.status(unescape(line)) is None
        for line in entries
    )
