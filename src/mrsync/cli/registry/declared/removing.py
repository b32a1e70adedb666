"""Options for deletions and backups."""

from __future__ import annotations

from mrsync.cli.registry import values
from mrsync.cli.registry.option import (
    BACKUPS,
    DELETION,
    ELSEWHERE,
    FOLDER,
    MULTICASTER,
    MULTICATCHER,
    PATH,
    SWITCH,
    Option,
)

OPTIONS = (
    Option(
        "--delete",
        "delete what SOURCE lacks; default: yes",
        DELETION,
        manual="delete what SOURCE lacks; default: yes, with SOURCE TARGETS:DEST no. If more than half of a target's"
        " entries, and more than 100, would be deleted, or anything where DEST is the home directory of the target's"
        " user or above it, the run stops before anything is changed, status 25, "
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
        manual="delete at most N entries of each target (0 or less: none); the rest stays and is counted, status 25",
        metavar="N",
        type=values.integer,
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
        "--force",
        "remove directories in the place of files, even without --delete",
        DELETION,
        manual="remove a directory that is in the place of a file, link or other entry of SOURCE even if it is not "
        "empty. `--delete` does so, too",
        field="policy.forces",
        rsync="--force",
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
        "the suffix of backups; default: _mcast_bak and MMDDhhmm; none in --backup-dir",
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
        completes=ELSEWHERE,
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
        "place; the next run restores it. Not with `--backup`, `--delta`, `--commit end` or `--commit job`",
        field="policy.remove_first",
    ),
)
