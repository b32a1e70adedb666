"""Build the command line of rsync's dry run from this host to one target, and check the options for it (-o)."""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Iterator, Sequence

from mrsync.errors import SelectionError, UsageError
from mrsync.files import absolute
from mrsync.remote.command import RemoteShell
from mrsync.remote.reasons import describe

PROGRAM = "rsync"
SHELL_FAILED = (12, 14, 126, 127, 255)  # exit statuses of rsync if the remote shell or the remote rsync failed
OUTPUT = "%i %n%L"  # the output format of -i

_VALUED_SHORT = "BefMT@"
_VALUED = (  # long options that take a value
    " address backup-dir block-size bwlimit cc checksum-choice checksum-seed chmod chown compare-dest compress-choice"
    " compress-level compress-threads confine-root contimeout copy-as copy-dest debug early-input exclude exclude-from"
    " files-from filter groupmap iconv include include-from info link-dest log-file log-file-format log-format"
    " max-alloc max-delete max-size min-size modify-window only-write-batch out-format outbuf partial-dir"
    " password-file port protocol read-batch remote-option rsh rsync-path skip-compress sockopts stop-after stop-at"
    " suffix temp-dir time-limit timeout usermap write-batch zc zl zt "
)
_WHY_NOT = {
    "it changes the source": "remove-source-files remove-sent-files",
    "mrsync parses the output of rsync": (
        "quiet q out-format log-format log-file log-file-format info debug progress P list-only"
    ),
    "it is mrsync's own (-r)": "rsh e",
    "it is mrsync's own": "chmod chown backup b backup-dir suffix usermap groupmap max-delete",
    "it would send contents that the source does not have": (
        "copy-links L copy-dirlinks k keep-dirlinks K copy-unsafe-links munge-links insecure-links copy-devices"
        " write-devices fake-super iconv relative R"
    ),
    "the destination is mrsync's own (-t)": "compare-dest copy-dest link-dest",
    "rsync is to compare once, all, and nothing else": (
        "daemon server sender config dparam address port password-file early-input remote-option M copy-as read-batch"
        " write-batch only-write-batch stop-after stop-at time-limit no-dry-run no-n help version V"
    ),
}
# Options with which rsync still looks at all of the source. Others may make it delete what the source has.
_OF_ALL_ENTRIES = (
    "c checksum checksum-choice cc I ignore-times size-only modify-window @ u update existing ignore-existing"
    " H hard-links A acls X xattrs E executability numeric-ids O omit-dir-times J omit-link-times S sparse W"
    " whole-file z compress compress-choice zc compress-level zl bwlimit timeout contimeout v verbose i"
    " itemize-changes ignore-errors delete del delete-before delete-during delete-delay delete-after force 8"
    " 8-bit-output max-alloc sockopts"
)
_LEAVING_NOTHING_OUT = frozenset(_OF_ALL_ENTRIES.split())
_REFUSED = {name: reason for reason, names in _WHY_NOT.items() for name in names.split()}


def parse_options(text: str) -> tuple[str, ...]:
    """Split the value of -o into words. Raise UsageError for options that do not make sense in this dry run."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UsageError(f"-o {text!r} cannot be understood: {error}") from error
    for name in _names(words):
        if name in _REFUSED:
            raise UsageError(f"-o {'-' if len(name) == 1 else '--'}{name}: {_REFUSED[name]}")
    return tuple(words)


def leave_nothing_out(words: Sequence[str]) -> bool:
    """Return whether with these options rsync sends all files, directories and links of SOURCE."""
    return _LEAVING_NOTHING_OUT.issuperset(_names(words))


def find_rsync() -> str:
    """Return the path of rsync on this host. Raise SelectionError if there is none."""
    path = shutil.which(PROGRAM)
    if path is None:
        raise SelectionError("there is no rsync on this host, which --compare rsync needs")
    return path


def command_line(
    program: str,
    options: Sequence[str],
    *,
    shell: RemoteShell | None,
    source: bytes,
    host: str,
    dest: bytes,
    path: str | None = None,
) -> list[bytes]:
    """Return the arguments of a dry run from `source` to `dest` on `host`.

    program, options: of rsync here. shell: None if the host is this one. path: how rsync is started there, if not in
    the usual way.
    """
    words = [program, "-avW", "--dry-run", f"--out-format={OUTPUT}", *options]
    if shell is None:
        there = absolute(dest)
    else:
        # -s: protect the path from the remote login shell
        words += [
            "-s",
            "-e",
            " ".join(map(_quoted, shell.words_for(host))),
            *([f"--rsync-path={path}"] if path else []),
        ]
        user, at, name = host.rpartition("@")
        place = f"{user}{at}[{name}]:" if ":" in name else f"{host}:"
        dest = dest.removeprefix(b"~/")  # paths are relative to the home directory; -s would not expand ~
        there = place.encode() + (b"./" if dest.startswith(b":") else b"") + dest  # host::x means a daemon's module
    return [*map(os.fsencode, words), b"--", source.rstrip(b"/") + b"/", there.rstrip(b"/") + b"/"]


def describe_failure(lines: Sequence[str], status: int) -> str:
    """Return in one sentence why a dry run failed. lines: its stderr. status: its exit status."""
    own = [line for line in lines if line.startswith(f"{PROGRAM}: ")]
    foreign = [line for line in lines if line.strip() and not line.startswith(PROGRAM)]
    if foreign and (status in SHELL_FAILED or not own):
        return describe(foreign, status, program=PROGRAM, shell=PROGRAM)
    return own[0].removeprefix(f"{PROGRAM}: ") if own else f"{PROGRAM} ended with status {status}"


def _quoted(word: str) -> str:
    """Quote a word for -e, which rsync splits itself: in quotes, a quote is doubled."""
    return word if re.fullmatch(r"[\w@%+=:,./-]+", word) else "'" + word.replace("'", "''") + "'"


def _names(words: Sequence[str]) -> Iterator[str]:
    """Yield the names of the options without dashes and values. Raise UsageError for a word that is not an option."""
    waiting = iter(words)
    for word in waiting:
        if word.startswith("--") and len(word) > 2:
            name, has_value, _ = word[2:].partition("=")
            yield name
            if f" {name} " in _VALUED and not has_value:
                next(waiting, None)
        elif word.startswith("-") and word != "--" and len(word) > 1:
            yield from _short_names(word[1:], waiting)
        else:
            raise UsageError(f"-o {word!r} is not an option; SOURCE and DEST are set by mrsync")


def _short_names(letters: str, waiting: Iterator[str]) -> Iterator[str]:
    for position, letter in enumerate(letters, 1):
        yield letter
        if letter in _VALUED_SHORT:
            if position == len(letters):
                next(waiting, None)
            return
