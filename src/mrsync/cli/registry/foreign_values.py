"""Values of rsync's options: what they set here, or in one sentence why rsync would not take them either."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from collections.abc import Mapping
from typing import Any

from mrsync.cli.registry import values
from mrsync.cli.registry.declared.output import LOG_FORMATS

DIGESTS = ("auto", "xxh128", "xxh3", "xxh64", "xxhash", "md5", "md4", "sha1", "none")
_DEBUG_FLAGS = (
    "acl backup bind chdir connect cmd del deltasum dup exit filter flist fuzzy genr hash hlink iconv io nstr own "
    "proto recv send time all"
)
DEBUG_VERBOSITY = 2
HELP, NONE = "help", "none"
_FLAG = re.compile("([a-z]+)([0-9]{0,9})")
_NOTHING: Mapping[str, Any] = {}


def stderr_mode(text: str) -> Mapping[str, Any]:
    """Check a mode of --stderr."""
    name = text.lower()
    if name and "all".startswith(name):
        raise ArgumentTypeError("errors go to stderr, and lists of changes to stdout; leave it out")
    return _one_of(text, bool(name) and ("errors".startswith(name) or "client".startswith(name)), "errors or client")


def buffering(text: str) -> Mapping[str, Any]:
    """Check a mode of --outbuf: a word that begins with N, L, B, or another name of these."""
    return _one_of(text, text[:1].lower() in tuple("nulbf"), "N, L or B")


def checksum_choice(text: str) -> Mapping[str, Any]:
    """Check one or two names of digests."""
    names = text.split(",")
    return _one_of(text, len(names) <= 2 and all(name.lower() in DIGESTS for name in names), ", ".join(DIGESTS))


def log_format(text: str) -> Mapping[str, Any]:
    """Tell rsync's old name of --out-format, whose value has a %, from the form of the log file."""
    if "%" in text:
        return {"out_format": text}
    _one_of(text, text in LOG_FORMATS, " or ".join(LOG_FORMATS))
    return {"log_format": text}


def ignored_number(text: str) -> Mapping[str, Any]:
    """Check a number that has no effect."""
    values.integer(text)
    return _NOTHING


def ignored_size(text: str) -> Mapping[str, Any]:
    """Check a size that has no effect."""
    values.size(text)
    return _NOTHING


def time_limit(text: str) -> Mapping[str, Any]:
    return {"stop_after": values.minutes(text)}


def debug_flags(text: str) -> Mapping[str, Any]:
    """Check the flags of --debug. Exit after help."""
    words = [word for word in text.lower().split(",") if word]
    if HELP in words:
        flags = ", ".join(_DEBUG_FLAGS.split()).upper()
        print(f"{flags}: each the same as -vvv; NONE: nothing; more is in --log-level debug")
        raise SystemExit(0)
    levels = {}
    for word in words:
        found = _FLAG.fullmatch(word)
        if not found or found[1] not in (*_DEBUG_FLAGS.split(), NONE):
            raise ArgumentTypeError(f"{word} is unknown; --debug=help lists all flags")
        levels[found[1]] = 0 if found[1] == NONE else int(found[2] or 1)
    return {"verbose": DEBUG_VERBOSITY} if any(levels.values()) else _NOTHING


def _one_of(text: str, is_known: bool, names: str) -> Mapping[str, Any]:
    if not is_known:
        raise ArgumentTypeError(f"{text!r} is not one of {names}")
    return _NOTHING
