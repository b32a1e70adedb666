"""Parse and apply rsync's --chmod."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable

from mrsync.errors import UsageError
from mrsync.tree.model.limits import KIND_SHIFT
from mrsync.tree.model.manifest import DIRECTORY, LINK, Manifest
from mrsync.tuples import NamedTuple

BITS = 0o7777
_CLAUSE = re.compile(r"(?P<who>[ugoaD]*|[ugoaF]*)(?P<op>[-+=])(?P<what>[rwxXst]*|[ugo])")
_OCTAL = re.compile(r"(?P<limit>D*|F*)(?P<mode>[0-7]+)")
_WHO = {"u": 0o100, "g": 0o010, "o": 0o001, "a": 0o111}
_SET_ID = {"u": 0o4000, "g": 0o2000, "o": 0, "a": 0o6000}
_WHAT = {"r": 4, "w": 2, "x": 1, "X": 1}
_SHIFT = {"u": 6, "g": 3, "o": 0}


class ModeChange(NamedTuple):
    """One clause of --chmod.

    limit: "D" for directories only, "F" for all others, "" for both. clear: bits to clear first. add: bits to set.
    add_if_x: bits to set on directories and where any execute bit is set. copy: the class ("u", "g" or "o") whose bits
    are copied to the classes in copy_to, limited by copy_mask; cleared instead of set if is_minus.
    """

    limit: str
    clear: int = 0
    add: int = 0
    add_if_x: int = 0
    copy: str = ""
    copy_to: int = 0
    copy_mask: int = BITS
    is_minus: bool = False


def parse_mode_changes(text: str, umask: int) -> tuple[ModeChange, ...]:
    """Parse clauses of chmod or octal numbers, each with an optional D or F, separated by commas. Raise UsageError."""
    return tuple([_parse_clause(clause, umask, text) for clause in text.split(",")])


def change_modes(manifest: Manifest, changes: Iterable[ModeChange]) -> None:
    """Change the modes of all entries except soft links."""
    table = {mode: changed_mode(mode, changes) for mode in set(manifest.modes)}
    manifest.modes = array("H", [table[mode] for mode in manifest.modes])


def changed_mode(mode: int, changes: Iterable[ModeChange]) -> int:
    """Return a mode after all changes. It includes the type bits, before and after."""
    kind, is_directory = mode & ~BITS, mode >> KIND_SHIFT == DIRECTORY
    if mode >> KIND_SHIFT == LINK:
        return mode
    has_x = bool(mode & 0o111) or is_directory
    for change in changes:
        if change.limit and (change.limit == "D") != is_directory:
            continue
        copied = (mode >> _SHIFT[change.copy] & 7) * change.copy_to & change.copy_mask if change.copy else 0
        mode = mode & ~change.clear & BITS | change.add | (change.add_if_x if has_x else 0)
        mode = mode & ~copied if change.is_minus else mode | copied
    return mode | kind


def _parse_clause(clause: str, umask: int, text: str) -> ModeChange:
    octal = _OCTAL.fullmatch(clause)
    if octal and int(octal["mode"], 8) <= BITS:
        return ModeChange(octal["limit"][:1], clear=BITS, add=int(octal["mode"], 8))
    found = _CLAUSE.fullmatch(clause)
    if not found:
        raise UsageError(f"--chmod {text}: {clause or 'nothing'} is not a change of a mode")
    limit = "D" if "D" in found["who"] else "F" if "F" in found["who"] else ""
    who, what = found["who"].strip("DF") and found["who"], found["what"]
    where = _sum(who, _WHO) or 0o111
    mask = BITS if who else ~umask & BITS
    if what in _SHIFT:
        special = 0o4000 * bool(where & 0o100) | 0o2000 * bool(where & 0o010) | 0o1000 * bool(where & 1)
        clear = where * 7 | special if found["op"] == "=" else 0
        return ModeChange(limit, clear, 0, 0, what, where, mask, found["op"] == "-")
    set_id = _sum(who, _SET_ID)
    top = 0
    for letter in what:
        if letter == "s":
            top = top | set_id if set_id else 0o4000  # like rsync: without u, g or a, earlier letters are forgotten
        elif letter == "t":
            top |= 0o1000
    bits = where * _sum(what, _WHAT) & mask
    maybe = bits & 0o111 if "X" in what else 0
    bits &= ~maybe
    if found["op"] == "-":
        return ModeChange(limit, clear=bits | maybe | top)
    clear = where * 7 | (set_id if top else 0) if found["op"] == "=" else 0
    return ModeChange(limit, clear, bits | top, maybe)


def _sum(letters: str, values: dict[str, int]) -> int:
    total = 0
    for letter in letters:
        total |= values.get(letter, 0)
    return total
