"""Resolve SOURCE and DEST from the command line, and check that trees on one host do not overlap."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

from mrsync.cli.registry.parser import Parser
from mrsync.cli.registry.rsync_form import settle_kept
from mrsync.errors import SelectionError, UsageError
from mrsync.files import absolute
from mrsync.remote.targets import is_address
from mrsync.run.settings import LOCAL
from mrsync.spelling import closest, did_you_mean
from mrsync.tree.fs.mounts import Mounts
from mrsync.tree.source.modes import ModeChange, changed_mode
from mrsync.tree.source.selection import OffLimits, Selection

FORMS = "give SOURCE TARGETS:DEST, or -m TARGETS -s SOURCE (see mrsync --help)"
_REMOTE = re.compile(r"[^/]+:")  # HOST:PATH
_ANOTHER = re.compile(r",[\w@.\[\]-]+:[/~.]")  # in DEST: another HOST:PATH
_BRACED = re.compile(r"\{(\w+)\}")
_VARIABLE = re.compile(r"\$\{?[A-Za-z_]\w*\}?")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


def take_positionals(options: argparse.Namespace) -> None:
    """Convert `SOURCE... TARGETS:DEST` to the options -s, -m and -t; `sources` gets all SOURCEs. Raise UsageError."""
    if options.is_rsync_form:
        settle_kept(options)
    if not options.positionals:
        if not options.source and not options.targets:
            raise UsageError(FORMS)
        options.sources = [options.source] if options.source else []
        return
    *options.sources, there = options.positionals
    if options.is_rsync_form:
        options.delete = options.delete or options.delete_excluded
        options.omit_dir_times = options.omit_dir_times or (options.backup and not options.backup_dir)
    remote = next((text for text in options.sources if _REMOTE.match(text) and not os.path.lexists(text)), None)
    if remote is not None and remote != options.sources[0] and _REMOTE.match(there):
        raise UsageError(
            f"{remote} and {there}: list all targets before one colon, as in a,b:/dest; DEST may have {{host}}"
        )
    if remote is not None:
        end = "" if ":" in there else f"; TARGETS:DEST comes last, and {there} has no colon"
        raise UsageError(f"SOURCE {remote} is on another host; mrsync copies from this host to others only{end}")
    if not options.sources:
        raise UsageError(FORMS)
    if ":" not in there:
        raise UsageError(f"{there} has no colon: {FORMS.replace('DEST', f'DEST, such as {_with_colon(there)}', 1)}")
    if options.source or options.targets or options.dest:
        raise UsageError("SOURCE TARGETS:DEST cannot be combined with -m, -s or -t")
    if "" in options.sources:
        raise UsageError(f"SOURCE {options.sources.index('') + 1} is empty")
    options.source = options.sources[0]
    targets, options.dest = _split(there)
    options.targets = [targets]


def take_place(parser: Parser, arguments: Sequence[str]) -> Sequence[str]:
    """Return the command line of a tool with -m and -t instead of TARGETS:DEST. Raise UsageError."""
    words = parser.sort_out(arguments)
    if not any(":" in word for word in words.operands):
        return arguments
    if len(words.operands) > 1:
        raise UsageError(f"{' '.join(words.operands)}: give one TARGETS:DEST, with all targets before one colon")
    if {word.partition("=")[0] for word in words.options} & {"-m", "--targets", "-t", "--dest"}:
        raise UsageError("TARGETS:DEST cannot be combined with -m or -t")
    targets, dest = _split(words.operands[0])
    return [*words.options, f"-m={targets}", f"-t={dest}"]


def _split(there: str) -> tuple[str, str]:
    """Split TARGETS:DEST. Raise UsageError."""
    # groups (@racks:a) and IPv6 addresses contain colons too
    cut = there.find(":/") if ":/" in there else there.rfind(":")
    targets, dest = there[:cut], there[cut + 1 :] or "."  # the home directory, as in rsync
    last = re.split("[,@]", targets)[-1]
    if _SCHEME.match(there) or (last.endswith(":") and not is_address(last)):
        raise UsageError(f"{there}: catchers are started by a remote shell, not by an rsync daemon; give TARGETS:DEST")
    if _ANOTHER.search(dest):
        raise UsageError(
            f"{there}: list all targets before one colon, as in a,b:/dest; DEST may have {{host}}. "
            f"If {dest} is one path, give it with -t"
        )
    return targets, dest


def _with_colon(there: str) -> str:
    """Return what was probably meant by a word without a colon: a path on a target, or targets and perhaps a path."""
    targets, slash, path = there.partition("/")
    if targets in ("", ".", "..") or targets.startswith("~") or (slash and os.path.isdir(targets)):
        return f"node1:{there}"
    return f"{targets}:/{path}" if path else f"{targets}:/srv/data"


def source_of(text: str | None) -> bytes:
    """Return the absolute path of SOURCE.

    Raise UsageError if none is given, SelectionError if it does not exist or is not a directory.
    """
    if not text:
        raise UsageError("SOURCE is missing (-s)")
    source = absolute_source(text)
    if not os.path.isdir(text):
        if os.path.islink(text) and not os.path.exists(text):
            raise SelectionError(f"the source {text} is a soft link to {os.readlink(text)}, which does not exist")
        if os.path.lexists(text):
            raise SelectionError(f"the source {text} is not a directory")
        raise SelectionError(f"the source {text} does not exist{_meant(source)}")
    return source


def absolute_source(path: str) -> bytes:
    """Return the absolute path. Raise SelectionError if the working directory no longer exists."""
    try:
        return absolute(os.fsencode(path))
    except FileNotFoundError as error:
        raise SelectionError(
            f"the working directory no longer exists: give the source {path} as an absolute path"
        ) from error


def doubts_of(options: argparse.Namespace) -> Iterator[str]:
    """Yield what in SOURCE and DEST is taken as it is, but is likely a mistake: a sentence each."""
    dest = getattr(options, "dest", None) or ""
    yield from doubts_of_dest(dest)
    if (
        dest
        and not _VARIABLE.search(dest)
        and not options.is_rsync_form
        and options.rsh != LOCAL
        and dest[0] not in "/~"
    ):
        yield f"DEST {dest} is below the home directory there; write ~/{dest} to say so, or /{dest} if you mean that"
    if not options.is_rsync_form or options.relative or not os.path.isdir(source := options.source):
        return
    name = os.path.basename(source)  # empty with a slash at the end
    if name and name == os.path.basename(dest.rstrip("/")):
        yield (
            f"{source} has no slash at its end, so it is put into {dest}, as {os.path.join(dest, name)}; "
            f"write {source}/ to make {dest} itself equal to it"
        )


def doubts_of_dest(dest: str) -> Iterator[str]:
    """Yield what in the name of DEST is likely a mistake: a sentence each."""
    for word in _BRACED.findall(dest):
        if word != "host" and closest(word.lower(), ("host", "hostname", "target")):
            yield f"{{{word}}} in DEST is part of a name; the name of the target is {{host}}"
    if variable := _VARIABLE.search(dest):
        yield f"{variable[0]} in DEST is part of a name, because no shell expands it; the home directory there is ~"


def check_dest(text: str) -> None:
    """Raise UsageError for HOST:PATH, which would be a strange directory below the home directory."""
    if _REMOTE.match(text):
        raise UsageError(f"DEST {text} names a host, but TARGETS do that; if it is a path, write ./{text}")


def check_home(text: str) -> None:
    """Raise UsageError for a home directory or one above it, because everything else there would be deleted."""
    inside = _inside_home(text)
    if inside == "." or inside.split("/")[0] == "..":
        what = "a home directory" if inside == "." else "above a home directory"
        raise UsageError(
            f"DEST {text} is {what}, and everything in it that SOURCE lacks would be deleted; name a directory in it"
        )


def check_home_mode(text: str, root: bytes, changes: Iterable[ModeChange], *, keeps_owner: bool) -> None:
    """Raise UsageError for a home directory that would become like root, and lock its user out: see sshd's StrictModes.

    It must belong to its user or to root, and nobody else may write to it. changes: of --chmod. keeps_owner: it gets
    the owner of root, not one who is known there only.
    """
    if _inside_home(text) != ".":
        return
    status = os.stat(root)
    lock = "can be written by others than its owner" if changed_mode(status.st_mode, changes) & 0o022 else ""
    if keeps_owner and status.st_uid not in (0, os.geteuid()):
        lock = "has another owner"
    if lock:
        raise UsageError(
            f"DEST {text} is a home directory, and would become like {os.fsdecode(root)}, which {lock}: sshd would "
            "then accept no key; name a directory in it, leave out the slash after SOURCE, or give --chmod or --chown"
        )


def _inside_home(text: str) -> str:
    """Return the path of a DEST from the home directory on: "." is that itself, and .. leads out of it."""
    return os.path.normpath(text.partition("/")[2] or "." if text.startswith("~") else text)


def check_local_dests(sources: Sequence[bytes], dests: Mapping[str, bytes], selection: Selection) -> OffLimits:
    """Raise UsageError if trees on this host overlap, by whatever paths.

    A target may be inside the source if rules can leave it out. Return where such targets are, so that the scan can
    check that. sources: paths. dests: destination by target.
    """
    mounts = Mounts()
    origins = [mounts.place(source) for source in sources]
    seen: dict[bytes, str] = {}
    off_limits: OffLimits = {}
    for host, dest in dests.items():
        place = mounts.place(dest)
        is_around = any(each.contains(origin) for each in (place, *mounts.below(dest)) for origin in origins)
        is_within = any(origin.contains(place) for origin in origins)
        if is_around or (is_within and selection.takes_everything):
            raise UsageError(f"DEST on this host, {os.fsdecode(dest)}, and SOURCE must not contain one another")
        key = b"%b %b/" % place
        seen[key] = host
        where = _existing(dest)
        off_limits.setdefault(where[:2], {})[where[2]] = dest
    _check_apart(seen, len(dests))
    return off_limits


def _check_apart(seen: dict[bytes, str], count: int) -> None:
    """Raise UsageError if a target is inside another one. seen: targets by device and path.

    Paths end with a slash, so that a path inside another one is sorted right after it.
    """
    ordered = sorted(seen)
    nested = next((pair for pair in pairwise(ordered) if pair[1].startswith(pair[0])), None)
    if nested is not None:
        raise UsageError(f"DEST of {seen[nested[1]]} on this host is inside that of {seen[nested[0]]}")
    if len(ordered) < count:
        raise UsageError("several targets on this host need {host} in DEST, or they would all write to the same place")


def _meant(source: bytes) -> str:
    """Return the question which name beside a missing source was meant, or ""."""
    folder, name = os.path.split(source)
    try:
        known = [os.fsdecode(entry.name) for entry in os.scandir(folder) if entry.is_dir()]
    except OSError:
        return ""  # its parent is missing, too
    return did_you_mean(os.fsdecode(name), known, before=f"{os.fsdecode(folder).rstrip('/')}/")


def _existing(dest: bytes) -> tuple[int, int, bytes]:
    """Return (device, inode, b"") of DEST, or those of the directory in which it will be made, with its name."""
    real = os.path.realpath(dest)
    name = b""
    while True:
        try:
            status = os.stat(real)
        except OSError:
            real, name = os.path.split(real)
            if not name:
                raise UsageError(f"DEST on this host, {os.fsdecode(dest)}, cannot be examined") from None
        else:
            return status.st_dev, status.st_ino, name
