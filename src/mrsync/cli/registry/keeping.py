"""Options for comparing, preserving and replacing files, and for backups."""

from __future__ import annotations

from mrsync.cli.registry import values
from mrsync.cli.registry.option import (
    BACKUPS,
    DELETION,
    FOLDER,
    KEEPING,
    LIST,
    MULTICASTER,
    MULTICATCHER,
    PATH,
    SWITCH,
    Option,
)

COMMIT_RULES = ("file", "each", "job")

OPTIONS = (
    Option(
        "-c --checksum",
        "compare the contents of files, not their times",
        KEEPING,
        manual="compare contents by size and BLAKE2b digest (128 bits), whatever their times. The master reads all "
        "of SOURCE before it sends anything, and each target reads every file whose size agrees: about 1 s "
        "per GB, if the disk is that fast",
        field="policy.checksum",
        rsync="-c --checksum",
        is_common=True,
    ),
    Option(
        "--size-only",
        "treat files of the same size as equal",
        KEEPING,
        manual="treat files of the same size as equal in contents; times, modes and owners are still updated",
        field="policy.size_only",
        rsync="--size-only",
    ),
    Option(
        "--ignore-times",
        "send all files (rsync's -I)",
        KEEPING,
        manual="send all files (rsync's `-I`)",
        field="policy.ignore_times",
        rsync="-I --ignore-times",
    ),
    Option(
        "--modify-window",
        "seconds by which times may differ; default: -1, not at all",
        KEEPING,
        manual="treat times that differ by at most N whole seconds as equal; 0: the same second; default: -1, the "
        "same nanosecond (rsync's default is 0)",
        metavar="N",
        type=values.modify_window,
        default=-1,
        field="policy.modify_window",
        rsync="-@ --modify-window",
    ),
    Option(
        "-u --update",
        "skip files that are newer on a target",
        KEEPING,
        manual="skip files that are newer on the target, even by a nanosecond; with `--modify-window`, as rsync "
        "compares times",
        field="policy.update",
        rsync="-u --update",
    ),
    Option(
        "--existing --ignore-non-existing",
        "create nothing that a target does not have",
        KEEPING,
        field="policy.existing",
        rsync="--existing --ignore-non-existing",
    ),
    Option(
        "--ignore-existing",
        "skip what exists on a target",
        KEEPING,
        manual="skip what exists on the target, except for directories; a directory whose place is taken by another "
        "entry is reported, status 23",
        field="policy.ignore_existing",
        rsync="--ignore-existing",
    ),
    Option(
        "--commit",
        "when a file is put into place; default: file",
        KEEPING,
        manual="when a file is put into place. `file` (default): when every live target has received it; a file that"
        " one target cannot take is changed on none. `each`: when this target has received it. `job`: all "
        "files on all targets, or none at all: if a target is missing, fails or runs out of space before that"
        " moment, nothing is changed anywhere, status 23",
        choices=COMMIT_RULES,
        default=COMMIT_RULES[0],
        field="policy.commit",
    ),
    Option(
        "--fsync --durable",
        "reported results survive a power cut; default: with --commit job",
        KEEPING,
        manual="flush contents to disk before files are renamed, and names before results are reported: after a "
        "power cut each file is the old or the new one, complete. Default: yes with `--commit job`, otherwise"
        " no. It costs about two flushes of the file system per second",
        kind=SWITCH,
        dest="durable",
        rsync="--fsync",
    ),
    Option(
        "--delta",
        "reuse blocks of old versions of large files",
        KEEPING,
        manual="of files of 256 KB and more, send only the blocks that are not in the targets' old versions; "
        "insertions are found. Both sides read these files first, so this is for slow links, or for large "
        "files of which little changes",
        field="policy.delta",
    ),
    Option(
        "--link-dest",
        "make hard links to what DIR on the target has unchanged",
        KEEPING,
        manual="what a directory on the target has unchanged, at the same path below it, becomes a hard link to that "
        "and is not sent: backups that share what is alike. Relative to DEST, or absolute; `{host}` is replaced; up to "
        "20 directories, the first that has it counts. What has other attributes there is copied",
        metavar="DIR",
        kind=LIST,
        default=[],
        completes=FOLDER,
        field="policy.link_dests",
        rsync="--link-dest",
    ),
    Option(
        "--copy-dest",
        "copy what DIR on the target has, where DEST lacks it",
        KEEPING,
        manual="as `--link-dest`, with copies instead of hard links, and only of what DEST does not have at all",
        metavar="DIR",
        kind=LIST,
        default=[],
        completes=FOLDER,
        field="policy.copy_dests",
        rsync="--copy-dest",
    ),
    Option(
        "--compare-dest",
        "leave out what DIR on the target has unchanged",
        KEEPING,
        manual="as `--link-dest`, and leave out what is the same there: DEST gets what differs, and all directories. "
        "A file that DEST has and that is the same there is removed from DEST, as rsync does",
        metavar="DIR",
        kind=LIST,
        default=[],
        completes=FOLDER,
        field="policy.compare_dests",
        rsync="--compare-dest",
    ),
    Option(
        "--partial",
        "resume after a broken run; default: yes",
        KEEPING,
        manual="keep received data when a run breaks, and resume from it in the next run: see "
        "[resume.md](resume.md); default: yes",
        kind=SWITCH,
        default=True,
        field="policy.partial",
        rsync="--partial",
    ),
    Option(
        "-i --itemize-changes",
        "list every change, in rsync's letters",
        KEEPING,
        manual="list every change in rsync's letters; with `-n`, every change that would be made: see [itemized "
        "changes](#itemized-changes)",
        field="policy.itemizes",
        rsync="-i --itemize-changes",
        is_common=True,
    ),
    Option(
        "-H --hard-links",
        "preserve hard links; default: yes",
        KEEPING,
        manual="preserve hard links; default: yes. Files that are linked on a target but not in SOURCE are "
        "separated, which rsync does not do. Hard links between soft links and between special files are "
        "preserved as well",
        kind=SWITCH,
        default=True,
        field="policy.hard_links",
        rsync="-H --hard-links",
    ),
    Option(
        "--numeric-ids",
        "preserve owners by number, not by name",
        KEEPING,
        manual="preserve owners by number, whatever their names",
        field="policy.numeric_ids",
        rsync="--numeric-ids",
    ),
    Option(
        "--chown",
        "set the owner and group of everything",
        KEEPING,
        manual="set the owner and group of everything; either may be missing. A name is looked up on each target; a "
        "number is the same everywhere. The same as `--usermap '*:USER' --groupmap '*:GROUP'`",
        metavar="USER:GROUP",
        rsync="--chown",
    ),
    Option(
        "--usermap",
        "give files of users to others, such as 0-99:nobody,web*:www",
        KEEPING,
        manual="give files of users to others: `--usermap 0-99:nobody,web*:www,:33`. FROM is a name or pattern of "
        "names here, a number, a range of numbers, or empty for users without a name; TO is a name or number on the "
        "target. The first match counts; a target that lacks a name warns and goes without that rule. Needs root there",
        metavar="FROM:TO",
        rsync="--usermap",
    ),
    Option(
        "--groupmap",
        "as --usermap, for groups",
        KEEPING,
        metavar="FROM:TO",
        rsync="--groupmap",
    ),
    Option(
        "--chmod",
        "change modes like rsync: Du+w,Fgo-rwx,D2755",
        KEEPING,
        manual="change modes like rsync: `Du+w,Fgo-rwx,D2755`; may be repeated",
        metavar="CHANGES",
        kind=LIST,
        default=[],
        rsync="--chmod",
    ),
    Option(
        "--mkpath",
        "create missing directories above DEST",
        KEEPING,
        field="policy.makes_parents",
        rsync="--mkpath",
    ),
    Option(
        "--keep-dirlinks",
        "keep soft links to directories in the place of directories",
        KEEPING,
        manual="where SOURCE has a directory and a target a soft link to one, keep the link and sync what it leads to. "
        "As with rsync 3.5, only links that do not lead out of DEST are followed; others are reported, status 23. "
        "What a kept link leads to is not deleted. Use it only where nobody else makes links",
        field="policy.keeps_dir_links",
        rsync="-K --keep-dirlinks",
    ),
    Option(
        "-O --omit-dir-times",
        "do not set the times of directories",
        KEEPING,
        field="policy.omit_dir_times",
        rsync="-O --omit-dir-times",
    ),
    Option(
        "--drop-cache",
        "keep what is copied out of the page cache",
        KEEPING,
        manual="have the kernels of master and targets forget what was read and written, so that a database or a busy "
        "server keeps its own data in memory. Targets sync files of 8 MB and more to the disk for this; smaller ones "
        "stay in their memory, and so does what `--checksum` and `--delta` read",
        field="policy.drops_cache",
    ),
    Option(
        "--preallocate",
        "reserve the space of a file before it is written",
        KEEPING,
        manual="reserve the whole space of a file when its first bytes arrive: a disk that is too small is found out "
        "at once, and files are less fragmented. Not for files with holes, and not with `--sparse`",
        field="policy.preallocates",
        rsync="--preallocate",
    ),
    Option(
        "--devices",
        "preserve devices; needs root on the target",
        KEEPING,
        manual="preserve character and block devices; without this option they are neither made nor deleted. As with"
        " rsync, a target without root skips them",
        rsync="--devices",
    ),
    Option(
        "--specials",
        "preserve fifos and sockets",
        KEEPING,
        manual="preserve fifos and sockets; without this option they are neither made nor deleted",
        rsync="--specials",
    ),
    Option("-D", "--devices --specials", KEEPING, manual="the same as `--devices --specials`", rsync="-D"),
    Option(
        "--xattrs",
        "preserve extended attributes (rsync's -X)",
        KEEPING,
        manual="preserve extended attributes (rsync's `-X`): all readable ones of SOURCE except `system.*`; a target"
        " without root preserves `user.*`",
        field="policy.xattrs",
        rsync="-X --xattrs",
    ),
    Option(
        "--acls",
        "preserve POSIX ACLs (rsync's -A)",
        KEEPING,
        manual="preserve POSIX ACLs (rsync's `-A`); their users and groups are mapped by name, like owners",
        field="policy.acls",
        rsync="-A --acls",
    ),
    Option(
        "-S --sparse",
        "write runs of zeros as holes",
        KEEPING,
        manual="write whole blocks of zeros as holes; holes of SOURCE are preserved in any case",
        field="policy.sparse",
        rsync="-S --sparse",
    ),
    Option(
        "--delete",
        "delete what SOURCE lacks; default: yes",
        DELETION,
        manual="delete what SOURCE lacks; default: yes, with SOURCE TARGETS:DEST no. If more than half of a target's"
        " entries, and more than 100, would be deleted, the run stops before anything is changed, status 25, "
        "unless this option or `--max-delete` is given. An error while scanning SOURCE suppresses deletions, "
        "unless `--ignore-errors` is given",
        kind=SWITCH,
        default=True,
        field="policy.deletes",
        rsync="--delete",
        is_common=True,
    ),
    Option(
        "--delete-excluded",
        "also delete excluded files on targets",
        DELETION,
        manual="also delete excluded files on targets; rules for one side (`H`, `S`, `P`, `R`, modifiers `s`, `r`) "
        "keep their meaning",
        field="policy.deletes_excluded",
        rsync="--delete-excluded",
    ),
    Option(
        "--max-delete",
        "delete no more entries of a target than this",
        DELETION,
        manual="delete at most N entries of each target (0: none); the rest stays and is counted, status 25",
        metavar="N",
        type=values.integer,
        default=-1,
        rsync="--max-delete",
    ),
    Option(
        "--ignore-errors",
        "delete even if part of SOURCE could not be read",
        DELETION,
        field="selection.ignores_errors",
        rsync="--ignore-errors",
    ),
    Option(
        "--backup",
        "keep backups of what is overwritten or deleted",
        BACKUPS,
        manual="keep what is overwritten or deleted under its name with a suffix",
        letters={MULTICASTER: "-b"},
        rsync="-b --backup",
    ),
    Option(
        "--suffix",
        "of backups; default: _mcast_bak and the time, MMDDhhmm; in --backup-dir none",
        BACKUPS,
        manual="the suffix of backups. Default: `_mcast_bakMMDDhhmm` with the time at which the run began, the same "
        "on all targets",
        metavar="S",
        rsync="--suffix",
    ),
    Option(
        "-u --suffix",
        "the suffix of backups here, instead of multicaster's",
        BACKUPS,
        (MULTICATCHER,),
        metavar="SUFFIX",
    ),
    Option(
        "--backup-dir",
        "where to keep backups, absolute or relative to DEST; implies --backup",
        BACKUPS,
        manual="keep backups in D under their path instead, without a suffix unless one is given. D is absolute or "
        "relative to DEST; `{host}` is replaced. Directories in D get the owner and mode of those in DEST, "
        "and D itself those of DEST. Implies `--backup`",
        metavar="D",
        rsync="--backup-dir",
    ),
    Option(
        "--backup-patterns",
        "back up only paths that match one of these extended regular expressions, one per line",
        BACKUPS,
        manual="back up only paths whose beginning matches one of these POSIX extended regular expressions, one per "
        "line. They are anchored at SOURCE; `$` matches the end. Implies `--backup`",
        letters={MULTICASTER: "-r"},
        metavar="FILE",
        completes=PATH,
    ),
    Option(
        "--backup-base",
        "the directory that backup patterns are relative to; default: SOURCE",
        BACKUPS,
        manual="the directory that backup patterns are relative to, SOURCE or one above it; default: SOURCE",
        letters={MULTICASTER: "-d"},
        metavar="BASEDIR",
        completes=FOLDER,
    ),
    Option(
        "-X --remove-first",
        "delete each old file before the new one is written, to save space",
        BACKUPS,
        manual="delete each old file before the new one is written, for disks that are almost full. The file is "
        "absent meanwhile, and stays absent on a target where the run breaks or the new file is not put into "
        "place; the next run restores it. Not with `--backup`, `--delta` or `--commit job`",
        field="policy.remove_first",
    ),
)
