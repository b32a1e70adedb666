"""Intended differences between rsync and mrsync. Each rule says what differs, and why."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from tests.rsync.outcomes import RECENT, Outcome

PROTOCOL_ERROR = 2  # of rsync with itself: -H with SOURCEs that hold one another, for example
INCOMPLETE = 23
DELETIONS_STOPPED = 25
RSYNC_HANGS = 124  # of timeout(1): rsync 3.5 may wait for itself for ever (line 179: --inplace with --compare-dest)
LETTERS = 11  # of an itemized line
CREDENTIALS = re.compile(r"([.>ch]f)(?=.{3}(?:p|.o|..g)).(.{8})([ |])(.*)")  # of a file: mode, owner or group changes


def even_out(words: Sequence[str], theirs: Outcome, ours: Outcome) -> None:
    """Remove from both outcomes what may differ after a line with these words."""
    has_failed = re.search("could not make way|refusing to follow a symlink", theirs.errors) is not None
    if theirs.status in (PROTOCOL_ERROR, RSYNC_HANGS) or has_failed:
        # rsync has failed, and says so: with -b, its own backup keeps it from removing a directory; and it trusts no
        # link of SOURCE that belongs to others
        for outcome in (theirs, ours):
            _forget(outcome)
    elif theirs.status == DELETIONS_STOPPED:
        _count_deletions(theirs, ours)
    else:
        _ignore_directory_times(words, theirs, ours)
        _trust_no_size_and_time(words, theirs, ours)
        _copy_nothing_of_strangers(words, theirs, ours)
        _keep_backups_as_private(words, theirs, ours)
        _keep_more_backups(words, theirs, ours)
        _delete_at_the_end(words, theirs, ours)
        _compare_before_backups(words, theirs, ours)
        _delete_nothing_if_source_is_incomplete(theirs, ours)
        _tell_no_times_that_stay(words, theirs, ours)
        _make_an_empty_dest(theirs, ours)
        _link_in_the_place_of_a_directory(theirs, ours)


def _forget(outcome: Outcome) -> None:
    for part in (outcome.lines, outcome.entries, outcome.groups):
        part.clear()


def _count_deletions(theirs: Outcome, ours: Outcome) -> None:
    """Which entries are deleted before the limit is reached depends on the order of two programs."""
    for outcome in (theirs, ours):
        deleted = sum(line.startswith("*deleting") for line in outcome.lines)
        _forget(outcome)
        outcome.lines.append(f"{deleted} deletions")


def _ignore_directory_times(words: Sequence[str], theirs: Outcome, ours: Outcome) -> None:
    """A file that others may have put there, or have open, is made anew, while rsync changes it in place.

    Its directory gets another time by that, which stays with -O; with -b, too.
    """
    is_beside = _has(words, "b", "--backup") and not _has(words, "", "--backup-dir")
    if not (is_beside or _has(words, "O", "--omit-dir-times")):
        return
    for path, entry in ours.entries.items():
        other = theirs.entries.get(path)
        if other is not None and entry.mode.startswith("4") and entry.time == RECENT:
            ours.entries[path] = entry._replace(time=other.time)


def _trust_no_size_and_time(words: Sequence[str], theirs: Outcome, ours: Outcome) -> None:
    """A file that is made anew for its attributes gets the contents of SOURCE, even if size and time are the same.

    So it may get a backup, and the exact time, too.
    """
    told = {found[4] for line in ours.said if (found := CREDENTIALS.match(line)) and found[1] in (".f", "hf")}
    for names in ({name.removeprefix("dest/") for name in group} for group in ours.groups):
        told |= names if names & told else set()  # other names of one file are not told
    timed = {line[LETTERS + 1 :] for line in ours.said if line[4:5] == "t"}
    for path, entry in ours.entries.items():
        other = theirs.entries.get(path)
        if other is not None and path.removeprefix("dest/") in told:
            time = entry.time if path.removeprefix("dest/") in timed else other.time
            ours.entries[path] = entry._replace(what=other.what, time=time)
    suffix = _suffix(words)
    for path in [path for path in ours.entries if path not in theirs.entries and path.endswith(suffix)]:
        if path.removeprefix("dest/").removesuffix(suffix) in told and _has(words, "b", "--backup"):
            del ours.entries[path]


def _copy_nothing_of_strangers(words: Sequence[str], theirs: Outcome, ours: Outcome) -> None:
    """What another user has in the directory of --link-dest is sent, if it gets another owner, group or mode.

    With -H, another name of a group may then be the one that is sent.
    """
    if any("-dest=" in word for word in words):
        grouped = {name.removeprefix("dest/") for group in ours.groups for name in group}
        for outcome in (theirs, ours):
            told = [line for line in outcome.lines if line[LETTERS + 1 :].partition(" => ")[0] not in grouped]
            outcome.lines[:] = sorted(CREDENTIALS.sub(r">f.\2\3\4", line) for line in told)


def _keep_backups_as_private(words: Sequence[str], theirs: Outcome, ours: Outcome) -> None:
    """New directories for backups get owner and mode of those in DEST, as they were; rsync gives them its default, or
    what the run gives to DEST's.
    """
    for word in words:
        top = os.path.normpath(f"dest/{word.removeprefix('--backup-dir=')}")
        if not word.startswith("--backup-dir="):
            continue
        for path, entry in ours.entries.items():
            other = theirs.entries.get(path)
            is_around = f"{path}/".startswith(f"{top}/") or f"{top}/".startswith(f"{path}/")  # in it, or above it
            if other is not None and entry.mode.startswith("4") and is_around and path != "dest":
                ours.entries[path] = entry._replace(mode=other.mode, owner=other.owner)


def _keep_more_backups(words: Sequence[str], theirs: Outcome, ours: Outcome) -> None:
    """A link whose name ends with the suffix gets a backup, too. rsync keeps one of files only, and loses the link."""
    suffix = _suffix(words)
    for path in [path for path, entry in ours.entries.items() if entry.mode.startswith("12")]:
        if path not in theirs.entries and path.endswith(2 * suffix) and _has(words, "b", "--backup"):
            del ours.entries[path]


def _delete_at_the_end(words: Sequence[str], theirs: Outcome, ours: Outcome) -> None:
    """With --delete-before, rsync finds and tells another time of the directories in which it has just deleted."""
    if "--delete-before" in words:
        deleted = [line[LETTERS + 1 :].rstrip("/") for line in theirs.lines if line.startswith("*deleting")]
        touched = {f"{path.rpartition('/')[0] or '.'}/" for path in deleted}
        touched.add("./")  # with a --backup-dir
        for place, line in enumerate(theirs.lines):
            if line[:2] == ".d" and line[LETTERS + 1 :] in touched and line not in ours.lines:
                theirs.lines[place] = f"{line[:4]}.{line[5:]}"
        theirs.lines[:] = [line for line in theirs.lines if line[:LETTERS] != f".d{'.' * (LETTERS - 2)}"]


def _compare_before_backups(words: Sequence[str], theirs: Outcome, ours: Outcome) -> None:
    """rsync tells another time of a directory of SOURCE if it has just put a backup into it.

    Which one comes first depends on the speed of its two processes in DEST.
    """
    for word in words:
        if not word.startswith("--backup-dir="):
            continue
        top = f"{os.path.normpath(word.removeprefix('--backup-dir='))}/"
        told = [line for line in theirs.lines if line[:LETTERS] == ".d..t......" and line not in ours.lines]
        for line in told:
            if line[LETTERS + 1 :].startswith(top) or top.startswith(line[LETTERS + 1 :]):
                theirs.lines.remove(line)


def _delete_nothing_if_source_is_incomplete(theirs: Outcome, ours: Outcome) -> None:
    """rsync may have deleted in other directories before it notices that a part of SOURCE cannot be read."""
    if theirs.status == INCOMPLETE and "no deletions on any target" in ours.errors:
        deleted = [line for line in theirs.lines if line.startswith("*deleting") and line not in ours.lines]
        for line in deleted:
            theirs.lines.remove(line)
            ours.entries.pop(f"dest/{line[LETTERS + 1 :].rstrip('/')}", None)


def _tell_no_times_that_stay(words: Sequence[str], theirs: Outcome, ours: Outcome) -> None:
    """With -O, rsync itemizes the time of a directory that it makes as one of --compare-dest, and does not set it."""
    if _has(words, "O", "--omit-dir-times") and any("-dest=" in word for word in words):
        for place, line in enumerate(theirs.lines):
            if line[:5] == "cd..t" and line not in ours.lines:
                theirs.lines[place] = f"{line[:4]}.{line[5:]}"


def _make_an_empty_dest(theirs: Outcome, ours: Outcome) -> None:
    """DEST is made even if nothing comes into it."""
    for path in ("dest/name", "dest"):
        if path not in theirs.entries and not any(name.startswith(f"{path}/") for name in ours.entries):
            ours.entries.pop(path, None)


def _link_in_the_place_of_a_directory(theirs: Outcome, ours: Outcome) -> None:
    """A name of a group that replaces a directory is new; rsync compares it with the directory.

    In a dry run without a DEST, rsync finds nothing of it that changes.
    """
    new = {line[LETTERS:] for line in ours.lines if line.startswith("hf+")}
    theirs.lines[:] = [
        f"hf{'+' * (LETTERS - 2)}{line[LETTERS:]}" if line[:4] in ("hf.s", "hf  ") and line[LETTERS:] in new else line
        for line in theirs.lines
    ]


def _suffix(words: Sequence[str]) -> str:
    """Return the suffix of backups."""
    return next((word.partition("=")[2] for word in reversed(words) if word.startswith("--suffix=")), "~")


def _has(words: Sequence[str], letter: str, name: str) -> bool:
    """Return whether an option is among these words. letter: empty if it has none."""
    letters = re.compile(f"-[a-zA-Z]*{letter}[a-zA-Z]*")
    return any(word.partition("=")[0] == name or (letter and letters.fullmatch(word)) for word in words)
