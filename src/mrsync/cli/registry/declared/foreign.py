"""Options of rsync that mrsync does not declare elsewhere: always on, synonyms, or refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from mrsync.cli.registry import foreign_values
from mrsync.tuples import NamedTuple

KEPT = ("links", "perms", "owner", "groups")  # attributes for what -a preserves beside times and devices
# rsync's defaults for a line in its form, by attribute of the parsed namespace.
DEFAULTS: Mapping[str, Any] = {
    "hard_links": False,
    "delete": False,
    "deletes_after": False,
    "modify_window": 0,
    "D": False,
    "human_level": 1,
    "lists_names": False,
    "asks_for_times": False,
    **dict.fromkeys(KEPT),  # None: `settle_kept` decides
    "flattens_list": False,
}


class Foreign(NamedTuple):
    """An option of rsync.

    names: as rsync writes them.
    why: for the table of docs/rsync.md.
    metavar: it takes a value.
    sets: values of attributes of the parsed namespace, or a function of the option's value that returns these and
    raises ArgumentTypeError.
    counts: the attribute that each use increases.
    is_refused: the option is rejected with `why` as the reason.
    conflicts: options with the same word exclude each other.
    """

    names: str
    why: str
    metavar: str = ""
    sets: Mapping[str, Any] | Callable[[str], Mapping[str, Any]] = MappingProxyType({})
    counts: str = ""
    is_refused: bool = False
    conflicts: str = ""


def _no(names: str, why: str, metavar: str = "") -> Foreign:
    return Foreign(names, why, metavar, is_refused=True)


def _when(names: str, why: str, **sets: bool) -> Foreign:
    return Foreign(names, why, sets={"delete": True, **sets}, conflicts="when")


_DEVICES = {"devices": True, "specials": True}
_ARCHIVE = {**_DEVICES, **dict.fromkeys(KEPT, True)}
_PLAIN = {"compress": False, "compress_choice": None, "compress_level": None}
_DAEMON = "there is no daemon: catchers are started by the remote shell"
_NO_TIMES = "--no-atimes --no-U --no-open-noatime --no-crtimes --no-N"
_NO_OTHERS = "--no-munge-links --no-insecure-links --no-write-devices --no-iconv --no-contimeout"
_FAMILY = "-e 'ssh {}' says it to ssh, and --multicast-group with an {} group such as {} to mrsync"

FOREIGN = (
    # abbreviations of other options
    Foreign("-a --archive", "the defaults of mrsync, and `-D`", sets=_ARCHIVE),
    Foreign("-D", "the same as `--devices --specials`", sets=_DEVICES),
    Foreign("--no-D", "no devices, no fifos, no sockets", sets=dict.fromkeys(_DEVICES, False)),
    Foreign("-P", "the same as `--partial --progress`", sets={"partial": True, "progress": "auto"}),
    _when("--del --delete-during --delete-delay", "deletes after the files are in place, never before"),
    _when(
        "--delete-after",
        "mrsync always deletes at the end; with this, what merge files that came protect stays, too",
        deletes_after=True,
    ),
    _when("--delete-before", "deletes after the files are in place nevertheless"),
    Foreign(
        "--partial-dir",
        "the same as `--partial`: what is there of a file is kept under a name of its own beside it, not in DIR",
        "DIR",
        sets={"partial": True},
    ),
    Foreign("--no-whole-file --no-W", "called `--delta`", sets={"delta": True}),
    Foreign("--delay-updates", "called `--commit end`", sets={"commit": "end"}),
    Foreign("--no-delay-updates", "called `--commit file`, which is the default", sets={"commit": "file"}),
    # always on
    Foreign("-t --times", "always on", sets={"asks_for_times": True}),
    Foreign("-W --whole-file", "always on, unless `--delta` is given", sets={"delta": False}),
    Foreign("--inc-recursive --i-r", "accepted without effect"),
    Foreign("--no-inc-recursive --no-i-r", "accepted without effect"),
    Foreign("-s --secluded-args --protect-args", "always on: no path is read by a shell"),
    Foreign("--no-secluded-args --no-protect-args --no-s", "accepted without effect"),
    Foreign("--old-args --no-old-args", "accepted without effect"),
    Foreign("--no-dirs --no-d", "accepted without effect"),
    Foreign("--implied-dirs --i-d", "always on: directories above listed paths get the source's attributes"),
    Foreign("--no-motd --motd", "accepted without effect: there is no daemon"),
    Foreign("--trust-sender", "the sender is the master, which is trusted"),
    Foreign("--blocking-io --no-blocking-io", "accepted without effect"),
    Foreign("--stderr", "always on for MODE `errors` and `client`", "MODE", foreign_values.stderr_mode),
    Foreign("--no-msgs2stderr", "always on: the same as `--stderr client`"),
    Foreign("--outbuf", "accepted without effect: output is buffered by line", "MODE", foreign_values.buffering),
    Foreign(
        "--checksum-choice --cc",
        "accepted without effect: digests are BLAKE2b",
        "STR",
        foreign_values.checksum_choice,
    ),
    Foreign(
        "--checksum-seed",
        "accepted without effect: digests are keyed with the session",
        "NUM",
        foreign_values.ignored_number,
    ),
    Foreign(
        "-B --block-size",
        "accepted without effect: the blocks of `--delta` have the size of pages",
        "SIZE",
        foreign_values.ignored_size,
    ),
    Foreign(
        "--max-alloc",
        "accepted without effect: memory grows with the number of entries only",
        "SIZE",
        foreign_values.ignored_size,
    ),
    Foreign(
        "-8 --8-bit-output --no-8-bit-output --no-8",
        "accepted without effect: letters are never escaped, control characters and bytes that are no letters always",
    ),
    Foreign("-h --human-readable", "for the numbers of `--stats` and `--out-format`", counts="human_level"),
    Foreign("--no-human-readable --no-h", "for the same numbers", sets={"human_level": 0}),
    Foreign(
        "--debug",
        "the same as `-vvv`, whichever FLAGS are given; more is in `--log-level debug`",
        "FLAGS",
        foreign_values.debug_flags,
    ),
    Foreign(
        "--no-relative --no-R",
        "the default; not with `--files-from`, whose paths are kept",
        sets={"relative": False, "flattens_list": True},
    ),
    Foreign("--no-verbose --no-v", "the default", sets={"verbose": 0, "lists_names": False}),
    Foreign("--no-progress", "the same as `--progress none`", sets={"progress": "none"}),
    Foreign("--no-bwlimit", "the default", sets={"rate": None}),
    Foreign("--no-timeout", "the default", sets={"ack_wait": 60.0}),
    Foreign("--time-limit", "an old name of `--stop-after`", "MINS", foreign_values.time_limit),
    Foreign("--super", "always on if the target has root"),
    Foreign("--no-compress --no-z", "the default", sets=_PLAIN),
    Foreign("--old-compress --new-compress", "the same as `--compress-choice zlib`", sets={"compress_choice": "zlib"}),
    Foreign("--skip-compress", "always on: pages that do not shrink are sent as they are", "LIST"),
    Foreign("--compress-threads --zt", "accepted without effect", "NUM"),
    Foreign(f"--no-append --no-fuzzy --no-y {_NO_TIMES} {_NO_OTHERS}", "the default"),
    # refused
    _no("--no-times --no-t", "mrsync always preserves times: the next run knows by them what has changed"),
    _no("--no-recursive --no-r --dirs -d --old-dirs --old-d", "mrsync always syncs directories recursively"),
    _no("--msgs2stderr", "errors go to stderr, and lists of changes to stdout"),
    _no("--no-super", "on a target with root all is preserved that root can preserve"),
    _no("--no-from0", "leave out -0, or give it behind the files whose entries end with lines"),
    _no("--no-implied-dirs --no-i-d", "directories above listed paths get the source's attributes"),
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
    _no("--fake-super", "a target without root preserves what it may set"),
    _no("-M --remote-option", "both ends have the same options", "OPT"),
    _no("--remove-source-files --remove-sent-files", "SOURCE is never changed"),
    _no("-y --fuzzy", "blocks are searched in the old version of the same name (--delta)"),
    _no("--contimeout", "use --connect-timeout instead", "SECONDS"),
    _no("--copy-as", "run mrsync as the user who can read SOURCE", "USER"),
    _no("--address", _DAEMON + "; --interface chooses the interface", "ADDRESS"),
    _no("--sockopts --password-file --early-input", _DAEMON, "VALUE"),
    _no(
        "--log-file-format",
        "use --out-format, and write what it prints to a file; --log-format is for the lines of --log-file",
        "FMT",
    ),
    _no("--list-only", "-n -i lists what would change"),
    _no("--write-batch --only-write-batch --read-batch", "one run serves all targets; there are no batches", "FILE"),
    _no("--protocol", "both ends have the same version", "NUM"),
    _no("--iconv", "names are bytes and are not converted", "SPEC"),
    _no("-4 --ipv4", _FAMILY.format("-4", "IPv4", "239.255.67.92")),
    _no("-6 --ipv6", _FAMILY.format("-6", "IPv6", "ff15::efff:435c")),
    _no("--daemon --config-file", _DAEMON),
)
