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
        manual="files of the same size and BLAKE2b (128 bits) have the same contents, whatever their times. The "
        "master reads all of SOURCE before anything is cast, each target every file of its own whose size "
        "agrees: about 1 s for each GB, if the disk is that fast",
        field="policy.checksum",
        rsync="-c --checksum",
        is_common=True,
    ),
    Option(
        "--size-only",
        "files of the same size have the same contents",
        KEEPING,
        manual="files of the same size have the same contents; times, modes and owners are still brought in line",
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
        "seconds that times may differ; default: -1, not a ns",
        KEEPING,
        manual="times that differ by at most N whole seconds are the same; 0: the same second; default -1: the same "
        "nanosecond (rsync's default is 0)",
        metavar="N",
        type=values.modify_window,
        default=-1,
        field="policy.modify_window",
        rsync="-@ --modify-window",
    ),
    Option(
        "-u --update",
        "leave files alone that are newer on a target",
        KEEPING,
        manual="leave files alone that are newer on the target; by default a nanosecond makes one newer, with "
        "`--modify-window` as in rsync",
        field="policy.update",
        rsync="-u --update",
    ),
    Option(
        "--existing --ignore-non-existing",
        "make nothing that a target does not have",
        KEEPING,
        field="policy.existing",
        rsync="--existing --ignore-non-existing",
    ),
    Option(
        "--ignore-existing",
        "leave alone what a target has",
        KEEPING,
        manual="leave alone what the target has, but for directories; a directory that is none there is told once, "
        "status 23",
        field="policy.ignore_existing",
        rsync="--ignore-existing",
    ),
    Option(
        "--commit",
        "when a file goes into place; default: file",
        KEEPING,
        manual="when a file goes into place; `file` (default): when every live target holds it, and what one cannot "
        "take none changes; `each`: when this target holds it; `job`: all files on all targets, or nothing "
        "on any: one target that is missing, dies or has no room before the flip, and nothing is changed "
        "anywhere, status 23",
        choices=COMMIT_RULES,
        default=COMMIT_RULES[0],
        field="policy.commit",
    ),
    Option(
        "--fsync --durable",
        "what is reported as done outlives a power cut; default: with --commit job",
        KEEPING,
        manual="have contents on the disk before names lead to them, and names before anything is reported as done: "
        "after a power cut each file is the old one or the new one, whole; default: with `--commit job` yes, "
        "otherwise no. Two flushes of the file system for each second of a run",
        kind=SWITCH,
        dest="durable",
        rsync="--fsync",
    ),
    Option(
        "--delta",
        "use blocks of the older copies that targets have of large files",
        KEEPING,
        manual="of files of 256 KB and more, cast only what is not in the older copies that targets have; "
        "insertions are found. Reads these files on both sides first: for slow links, or large files of "
        "which little changes",
        field="policy.delta",
    ),
    Option(
        "--partial",
        "take up what a run that broke has left; default: yes",
        KEEPING,
        manual="keep what arrived when a run breaks, and take it up in the next one: [resume.md](resume.md); "
        "default: yes",
        kind=SWITCH,
        default=True,
        field="policy.partial",
        rsync="--partial",
    ),
    Option(
        "-i --itemize-changes",
        "tell every change, in rsync's letters",
        KEEPING,
        manual="tell every change in rsync's letters, with `-n` what would change: see "
        "[itemized changes](#itemized-changes)",
        field="policy.itemizes",
        rsync="-i --itemize-changes",
        is_common=True,
    ),
    Option(
        "-H --hard-links",
        "keep hard links; default: yes",
        KEEPING,
        manual="keep hard links; default: yes. Files that are one on a target but not in SOURCE are separated, "
        "which rsync does not do; soft links and special files with several names keep them, too",
        kind=SWITCH,
        default=True,
        field="policy.hard_links",
        rsync="-H --hard-links",
    ),
    Option(
        "--numeric-ids",
        "keep owners by number, not by name",
        KEEPING,
        manual="keep owners by number, whatever their names",
        field="policy.numeric_ids",
        rsync="--numeric-ids",
    ),
    Option(
        "--chown",
        "give everything to these",
        KEEPING,
        manual="give everything to these, either may be missing. A name must be known here, and is looked up on "
        "each target; a number is that number everywhere",
        metavar="USER:GROUP",
        rsync="--chown",
    ),
    Option(
        "--chmod",
        "change modes, as rsync: Du+w,Fgo-rwx,D2755",
        KEEPING,
        manual="change modes as rsync does: `Du+w,Fgo-rwx,D2755`; may be repeated",
        metavar="CHANGES",
        kind=LIST,
        default=[],
        rsync="--chmod",
    ),
    Option(
        "--mkpath",
        "make directories above DEST that are missing",
        KEEPING,
        field="policy.makes_parents",
        rsync="--mkpath",
    ),
    Option(
        "-O --omit-dir-times",
        "leave the times of directories",
        KEEPING,
        field="policy.omit_dir_times",
        rsync="-O --omit-dir-times",
    ),
    Option(
        "--devices",
        "keep character and block devices, where a target is root",
        KEEPING,
        manual="keep character and block devices. Without this they are neither made nor deleted. As with rsync a "
        "target that is not root passes them over",
        rsync="--devices",
    ),
    Option(
        "--specials",
        "keep fifos and sockets",
        KEEPING,
        manual="keep fifos and sockets. Without this they are neither made nor deleted",
        rsync="--specials",
    ),
    Option("-D", "--devices --specials", KEEPING, manual="the same as `--devices --specials`", rsync="-D"),
    Option(
        "--xattrs",
        "keep extended attributes (rsync's -X)",
        KEEPING,
        manual="keep extended attributes (rsync's `-X`): of SOURCE all that can be read but `system.*`; a target "
        "that is not root keeps `user.*`",
        field="policy.xattrs",
        rsync="-X --xattrs",
    ),
    Option(
        "--acls",
        "keep POSIX ACLs (rsync's -A)",
        KEEPING,
        manual="keep POSIX ACLs (rsync's `-A`), their users and groups by name as owners are",
        field="policy.acls",
        rsync="-A --acls",
    ),
    Option(
        "-S --sparse",
        "make holes where files have zeros",
        KEEPING,
        manual="make holes where files have whole blocks of zeros; holes of SOURCE are kept anyway",
        field="policy.sparse",
        rsync="-S --sparse",
    ),
    Option(
        "--delete",
        "delete what SOURCE lacks; default: yes",
        DELETION,
        manual="delete what SOURCE lacks; default: yes, with SOURCE TARGETS:DEST no. Where more than half of a "
        "target's entries, and more than 100, would go, the run stops before anything is changed, status 25, "
        "unless this or `--max-delete` is given. An error while scanning SOURCE suppresses deletion, unless "
        "`--ignore-errors` is given",
        kind=SWITCH,
        default=True,
        field="policy.deletes",
        rsync="--delete",
        is_common=True,
    ),
    Option(
        "--delete-excluded",
        "delete what is excluded on targets, too",
        DELETION,
        manual="delete on targets what is excluded; rules of one side (`H`, `S`, `P`, `R`, modifiers `s`, `r`) keep "
        "their meaning",
        field="policy.deletes_excluded",
        rsync="--delete-excluded",
    ),
    Option(
        "--max-delete",
        "delete no more entries of a target than this",
        DELETION,
        manual="delete at most N entries of each target, 0: none; the rest stays and is counted, status 25",
        metavar="N",
        type=values.integer,
        default=-1,
        rsync="--max-delete",
    ),
    Option(
        "--ignore-errors",
        "delete even if some of SOURCE could not be read",
        DELETION,
        field="selection.ignores_errors",
        rsync="--ignore-errors",
    ),
    Option(
        "--backup",
        "keep what is overwritten or deleted",
        BACKUPS,
        manual="what is overwritten or deleted keeps another name: its own with the suffix behind it",
        letters={MULTICASTER: "-b"},
        rsync="-b --backup",
    ),
    Option(
        "--suffix",
        "of backups; default: _mcast_bak and the time, MMDDhhmm; in --backup-dir none",
        BACKUPS,
        manual="the suffix of backups. Default: `_mcast_bakMMDDhhmm`, the minute in which the run began, the same "
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
        manual="keep backups in D under their path instead, without a suffix unless one is given. Relative to DEST, "
        "or absolute; `{host}` is replaced. Directories in D are made with owner and mode of those in DEST; "
        "D itself as DEST. Implies `--backup`",
        metavar="D",
        rsync="--backup-dir",
    ),
    Option(
        "--backup-patterns",
        "keep only paths that begin as one of these extended regular expressions says, one a line",
        BACKUPS,
        manual="keep only paths that begin as one of these POSIX extended regular expressions says, one a line, "
        "anchored at SOURCE; `$` for the end. Implies `--backup`",
        letters={MULTICASTER: "-r"},
        metavar="FILE",
        completes=PATH,
    ),
    Option(
        "--backup-base",
        "an ancestor of SOURCE that patterns begin behind; default: SOURCE",
        BACKUPS,
        manual="an ancestor of SOURCE behind which patterns begin instead",
        letters={MULTICASTER: "-d"},
        metavar="BASEDIR",
        completes=FOLDER,
    ),
    Option(
        "-X --remove-first",
        "unlink old files before new ones are staged: the disk is almost full",
        BACKUPS,
        manual="unlink the old file before the new one is staged, for disks that are almost full. Its name is "
        "absent meanwhile, and stays so on a target where the run breaks or the file is not put in place; "
        "the next run brings it. Not with `--backup`, `--delta` or `--commit job`",
        field="policy.remove_first",
    ),
)
