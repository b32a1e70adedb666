"""Options of rsync that mrsync does not declare elsewhere: always on, synonyms, or refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mrsync.tuples import NamedTuple

# rsync's defaults for a line in its form, by attribute of the parsed namespace.
DEFAULTS: Mapping[str, Any] = {
    "hard_links": False,
    "delete": False,
    "deletes_after": False,
    "modify_window": 0,
    "human_level": 1,
    "lists_names": False,
}


class Foreign(NamedTuple):
    """An option of rsync. names: as rsync writes them. metavar: it takes a value.

    sets: values of attributes of the parsed namespace. counts: the attribute that each use increases. why: for the
    table of docs/rsync.md. is_refused: the option is rejected with `why` as the reason.
    """

    names: str
    why: str
    metavar: str = ""
    sets: Mapping[str, Any] = {}
    counts: str = ""
    is_refused: bool = False


def _no(names: str, why: str, metavar: str = "") -> Foreign:
    return Foreign(names, why, metavar, is_refused=True)


_DELETES = {"delete": True}
_DEVICES = {"D": True, "devices": True, "specials": True}
_PLAIN = {"compress": False, "compress_choice": None, "compress_level": None}
_DAEMON = "there is no daemon: catchers are started by the remote shell"
_KEPT = "mrsync always preserves {}"

FOREIGN = (
    # abbreviations of other options
    Foreign("-a --archive", "the defaults of mrsync, and `-D`", sets=_DEVICES),
    Foreign("--no-D", "no devices, no fifos, no sockets", sets=dict.fromkeys(_DEVICES, False)),
    Foreign("-P", "the same as `--partial --progress`", sets={"partial": True, "progress": "auto"}),
    Foreign("--del --delete-during", "deletes after the files are in place, never before", sets=_DELETES),
    Foreign(
        "--delete-after",
        "mrsync always deletes at the end; with this, what merge files that came protect stays, too",
        sets=_DELETES | {"deletes_after": True},
    ),
    Foreign("--delete-delay", "mrsync always deletes at the end", sets=_DELETES),
    Foreign("--delete-before", "deletes after the files are in place nevertheless", sets=_DELETES),
    Foreign(
        "--partial-dir",
        "the same as `--partial`: what is there of a file is kept under a name of its own beside it, not in DIR",
        "DIR",
        sets={"partial": True},
    ),
    Foreign("--no-whole-file --no-W", "called `--delta`", sets={"delta": True}),
    # always on
    Foreign("-l --links", "always on"),
    Foreign("-p --perms", "always on"),
    Foreign("-E --executability", "always on, with all of the mode"),
    Foreign("-t --times", "always on"),
    Foreign("-o --owner", "always on if the target has root"),
    Foreign("-g --group", "always on"),
    Foreign("-W --whole-file", "always on, unless `--delta` is given", sets={"delta": False}),
    Foreign("--inc-recursive --i-r", "accepted without effect"),
    Foreign("--no-inc-recursive --no-i-r", "accepted without effect"),
    Foreign("-s --secluded-args --protect-args", "always on: no path is read by a shell"),
    Foreign("--old-args", "accepted without effect"),
    Foreign("--no-motd", "accepted without effect: there is no daemon"),
    Foreign("--trust-sender", "the sender is the master, which is trusted"),
    Foreign("--blocking-io", "accepted without effect"),
    Foreign("-h --human-readable", "for the numbers of `--stats` and `--out-format`", counts="human_level"),
    Foreign("--no-human-readable --no-h", "for the same numbers", sets={"human_level": 0}),
    Foreign(
        "--debug", "the same as `-vvv`, whatever FLAGS are; more is in `--log-level debug`", "FLAGS", {"verbose": 2}
    ),
    Foreign("--super", "always on if the target has root"),
    Foreign("--no-compress --no-z", "the default", sets=_PLAIN),
    Foreign("--old-compress --new-compress", "the same as `--compress-choice zlib`", sets={"compress_choice": "zlib"}),
    Foreign("--skip-compress", "always on: pages that do not shrink are sent as they are", "LIST"),
    Foreign("--compress-threads --zt", "accepted without effect", "NUM"),
    # refused
    _no("--no-links --no-l", _KEPT.format("soft links; exclude them with rules or replace them with -L")),
    _no("--no-perms --no-p", _KEPT.format("modes; --chmod changes them")),
    _no("--no-times --no-t", _KEPT.format("times")),
    _no("--no-owner --no-o", _KEPT.format("owners on targets with root; --chown sets one owner for everything")),
    _no("--no-group --no-g", _KEPT.format("groups; --chown sets one group for everything")),
    _no("--no-recursive --no-r --dirs -d --old-dirs --old-d --no-dirs", "mrsync always syncs directories recursively"),
    _no("--no-relative --no-R", "paths of --files-from are kept; other SOURCEs are without --relative"),
    _no("--no-implied-dirs", "directories above listed paths get the source's attributes"),
    _no("--stderr --msgs2stderr", "errors always go to stderr", "MODE"),
    _no(
        "--append --append-verify",
        "use --delta: of a file that grew it sends what was added, and proves that the rest is the same",
    ),
    _no("--insecure-links", "links of others are never followed"),
    _no("--confine-root", "nothing behind a link below DEST is ever touched", "DIR"),
    _no("--munge-links", "soft links are kept as they are"),
    _no("--copy-devices --write-devices", "devices are preserved as such (--devices) or not at all"),
    _no("--drop-D", "that is the default without -D"),
    _no("-U --atimes", "access times are not preserved"),
    _no("--open-noatime", "SOURCE is read as any program reads it; mount it with noatime"),
    _no("-N --crtimes", "Linux cannot set the creation time of files"),
    _no("-J --omit-link-times", _KEPT.format("times of links")),
    _no("--fake-super", "a target without root preserves what it may set"),
    _no("-B --block-size", "the blocks of --delta have the size of pages", "SIZE"),
    _no("--checksum-choice --cc", "digests are BLAKE2b", "STR"),
    _no("--checksum-seed", "digests are keyed with the session", "NUM"),
    _no("-M --remote-option", "both ends have the same options", "OPT"),
    _no("--remove-source-files", "SOURCE is never changed"),
    _no("--max-alloc", "memory grows with the number of entries only", "SIZE"),
    _no("--delay-updates", "use --commit job, which holds for all targets at once"),
    _no("-y --fuzzy", "blocks are searched in the old version of the same name (--delta)"),
    _no("--contimeout", "use --connect-timeout instead", "SECONDS"),
    _no("--copy-as", "run mrsync as the user who can read SOURCE", "USER"),
    _no("--address", _DAEMON + "; --interface chooses the interface", "ADDRESS"),
    _no("--sockopts --password-file --early-input", _DAEMON, "VALUE"),
    _no("--outbuf", "output is buffered by line", "MODE"),
    _no("-8 --8-bit-output", "control characters are always escaped, letters never"),
    _no(
        "--log-file-format",
        "use --out-format, and write what it prints to a file; --log-format is for the lines of --log-file",
        "FMT",
    ),
    _no("--list-only", "-n -i lists what would change"),
    _no("--write-batch --only-write-batch --read-batch", "one run serves all targets; there are no batches", "FILE"),
    _no("--protocol", "both ends have the same version", "NUM"),
    _no("--iconv", "names are bytes and are not converted", "SPEC"),
    _no("-4 --ipv4", "use --multicast-group with an IPv4 group such as 239.255.67.92"),
    _no("-6 --ipv6", "use --multicast-group with an IPv6 group such as ff15::efff:435c"),
    _no("--daemon --config-file", _DAEMON),
)
