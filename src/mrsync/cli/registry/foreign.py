"""Options of rsync that mrsync does not declare elsewhere: always on, synonyms, or refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

# rsync's defaults for a line in its form, by attribute of the parsed namespace.
DEFAULTS: Mapping[str, Any] = {"hard_links": False, "delete": False, "modify_window": 0}


class Foreign(NamedTuple):
    """An option of rsync. names: as rsync writes them. metavar: it takes a value.

    sets: values of attributes of the parsed namespace. why: for the table of docs/rsync.md. is_refused: the option is
    rejected with `why` as the reason.
    """

    names: str
    why: str
    metavar: str = ""
    sets: Mapping[str, Any] = {}
    is_refused: bool = False


def _no(names: str, why: str, metavar: str = "") -> Foreign:
    return Foreign(names, why, metavar, is_refused=True)


_DELETES = {"delete": True}
_DEVICES = {"D": True, "devices": True, "specials": True}
_DAEMON = "there is no daemon: catchers are started by the remote shell"
_KEPT = "mrsync always keeps {}"

FOREIGN = (
    # abbreviations of other options
    Foreign("-a --archive", "what is always on, and `-D`", sets=_DEVICES),
    Foreign("--no-D", "no devices, no fifos, no sockets", sets=dict.fromkeys(_DEVICES, False)),
    Foreign("-P", "the same as `--partial --progress`", sets={"partial": True, "progress": "auto"}),
    Foreign("--del --delete-during", "deleted is after the files are in place, never before", sets=_DELETES),
    Foreign("--delete-after --delete-delay", "that is when mrsync deletes", sets=_DELETES),
    Foreign("--delete-before", "deleted is after the files are in place all the same", sets=_DELETES),
    Foreign("--no-whole-file --no-W", "called `--delta`", sets={"delta": True}),
    # always on
    Foreign("-l --links", "always on"),
    Foreign("-p --perms", "always on"),
    Foreign("-E --executability", "always on, with all of the mode"),
    Foreign("-t --times", "always on"),
    Foreign("-o --owner", "always on, where a target is root"),
    Foreign("-g --group", "always on"),
    Foreign("-W --whole-file", "always on, unless `--delta` is given", sets={"delta": False}),
    Foreign("--inc-recursive --i-r", "there is no such difference"),
    Foreign("--no-inc-recursive --no-i-r", "there is no such difference"),
    Foreign("-s --secluded-args --protect-args", "always on: no path is read by a shell"),
    Foreign("--old-args", "there is no such difference"),
    Foreign("--no-motd", "there is no daemon that would say something"),
    Foreign("--trust-sender", "the sender is the master, which is believed"),
    Foreign("--blocking-io", "there is no such difference"),
    Foreign("-h --human-readable", "always on"),
    Foreign("--super", "always on, where a target is root"),
    Foreign("--no-compress --no-z", "the default", sets={"compress_level": 0}),
    Foreign(
        "--old-compress --new-compress", "the same as `-z`: there is one way to compress", sets={"compress_level": 1}
    ),
    Foreign("--skip-compress", "always on: pages that do not shrink are sent as they are", "LIST"),
    Foreign("--compress-threads --zt", "there is no such difference", "NUM"),
    # refused
    _no("--no-links --no-l", _KEPT.format("soft links; leave them out by rules or take them as files by -L")),
    _no("--no-perms --no-p", _KEPT.format("modes; --chmod changes them")),
    _no("--no-times --no-t", _KEPT.format("times")),
    _no("--no-owner --no-o", _KEPT.format("owners where a target is root; --chown gives everything to one")),
    _no("--no-group --no-g", _KEPT.format("groups; --chown gives everything to one")),
    _no("--no-recursive --no-r --dirs -d --old-dirs --old-d --no-dirs", "mrsync takes directories with all in them"),
    _no("--no-implied-dirs", "directories above what is listed are made as the source has them"),
    _no("--info", "flags for what is told are -v, -i, --stats and --progress", "FLAGS"),
    _no("--debug", "it is called -vv", "FLAGS"),
    _no("--stderr --msgs2stderr", "errors always go to stderr", "MODE"),
    _no("--append", "a file is replaced as a whole; --partial takes up what a broken run left"),
    _no("--append-verify", "a file is replaced as a whole; --partial takes up what a broken run left"),
    _no(
        "--inplace",
        "a file is the old one or the new one, whole, always; for disks that are almost full: --remove-first",
    ),
    _no("--insecure-links", "links of others are never followed"),
    _no("--confine-root", "nothing behind a link below DEST is ever touched", "DIR"),
    _no("--munge-links", "soft links are kept as they are"),
    _no("-K --keep-dirlinks", "nothing behind a link below DEST is ever touched"),
    _no("--copy-devices --write-devices", "devices are kept as such (--devices) or not at all"),
    _no("--drop-D", "it is what happens without -D"),
    _no("-U --atimes", "access times are not kept"),
    _no("--open-noatime", "SOURCE is read as any program reads it; mount it with noatime"),
    _no("-N --crtimes", "Linux cannot set the time when a file was made"),
    _no("-J --omit-link-times", _KEPT.format("times of links")),
    _no("--fake-super", "a target that is not root keeps what it may keep"),
    _no("--preallocate", "room is not reserved; --commit job fails before anything changes where a disk is too small"),
    _no("-B --block-size", "the blocks of --delta have the size of pages", "SIZE"),
    _no("--checksum-choice --cc", "digests are BLAKE2b", "STR"),
    _no("--checksum-seed", "digests have keys of their own", "NUM"),
    _no(
        "--rsync-path", "targets need no rsync: --remote-python names their Python, --sudo starts it as root", "PROGRAM"
    ),
    _no("-M --remote-option", "both ends have the same options", "OPT"),
    _no("--remove-source-files", "SOURCE is never changed"),
    _no("--delete-missing-args", "what is missing is named, and nothing is deleted for it"),
    _no("--force", "it is part of --delete"),
    _no("--max-alloc", "memory grows with the number of entries only", "SIZE"),
    _no("--partial-dir", "what arrived is kept beside its place (--partial)", "DIR"),
    _no("--delay-updates", "it is called --commit job, and holds for all targets at once"),
    _no("-T --temp-dir", "a file is staged beside its place, as one rename is to put it there", "DIR"),
    _no("-y --fuzzy", "blocks are searched in the older copy of the same name (--delta)"),
    _no("--compare-dest --copy-dest --link-dest", "targets compare with DEST only", "DIR"),
    _no("--compress-choice --zc", "contents are compressed by deflate; `-z` and `--compress-level` say so", "STR"),
    _no("--contimeout", "it is called --connect-timeout", "SECONDS"),
    _no("--copy-as", "run mrsync as the user who is to read SOURCE", "USER"),
    _no("--address", _DAEMON + "; --interface says where to cast", "ADDRESS"),
    _no("--sockopts --password-file --early-input", _DAEMON, "VALUE"),
    _no("--outbuf", "a line is written when it is whole", "MODE"),
    _no("-8 --8-bit-output", "control characters are always escaped, letters never"),
    _no("--log-file-format", "it is called --log-format", "FMT"),
    _no("--list-only", "-n -i lists what would change"),
    _no("--usermap --groupmap", "--chown gives everything to one", "STRING"),
    _no("--out-format", "-i writes every change; --progress json for programs", "FORMAT"),
    _no(
        "--stop-after", "start it by timeout(1), which ends it by a signal; the next run takes up what is there", "MINS"
    ),
    _no("--stop-at", "start it by timeout(1), which ends it by a signal; the next run takes up what is there", "TIME"),
    _no("--write-batch --only-write-batch --read-batch", "one run serves all targets; there are no batches", "FILE"),
    _no("--protocol", "both ends are of one version", "NUM"),
    _no("--iconv", "names are bytes, and stay what they are", "SPEC"),
    _no("-4 --ipv4", "--multicast-group says so: an IPv4 group such as 239.255.67.92"),
    _no("-6 --ipv6", "--multicast-group says so: an IPv6 group such as ff15::efff:435c"),
    _no("--daemon --config-file", _DAEMON),
)
