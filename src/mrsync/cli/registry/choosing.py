"""Options that choose files."""

from __future__ import annotations

from mrsync.cli.registry import values
from mrsync.cli.registry.option import CHOICE, LISTS, MRSYNC, MULTICASTER, ORDERED, PATH, Option

COMPARE = ("each", "rsync", "none")

OPTIONS = (
    Option(
        "--include",
        "take what matches; the first rule that matches counts",
        CHOICE,
        manual="take what matches. Filter rules are rsync's, in the order given, and the first that matches counts",
        metavar="PATTERN",
        kind=ORDERED,
        rsync="--include",
    ),
    Option(
        "--exclude",
        "leave out what matches, and leave it alone on targets",
        CHOICE,
        manual="leave out what matches: it is not sent, and on targets not deleted",
        metavar="PATTERN",
        kind=ORDERED,
        rsync="--exclude",
        is_common=True,
    ),
    Option(
        "--include-from",
        "patterns to include, one per line; -: stdin",
        CHOICE,
        metavar="FILE",
        kind=ORDERED,
        completes=PATH,
        rsync="--include-from",
    ),
    Option(
        "--exclude-from",
        "patterns to exclude, one per line; -: stdin",
        CHOICE,
        metavar="FILE",
        kind=ORDERED,
        completes=PATH,
        rsync="--exclude-from",
    ),
    Option(
        "--filter",
        "a rule in rsync's notation",
        CHOICE,
        metavar="RULE",
        kind=ORDERED,
        rsync="-f --filter",
    ),
    Option(
        "-F",
        "--filter=': /.rsync-filter'; twice: --filter='- .rsync-filter', too",
        CHOICE,
        manual="the same as `--filter=': /.rsync-filter'`; given twice, also `--filter='- .rsync-filter'`",
        kind=ORDERED,
        rsync="-F",
    ),
    Option(
        "-C --cvs-exclude",
        "leave out what CVS leaves out",
        CHOICE,
        rsync="-C --cvs-exclude",
    ),
    Option(
        "-0 --from0",
        "entries of the files that follow end in NUL",
        CHOICE,
        manual="entries of the files that follow, and of merge files, end in NUL",
        kind=ORDERED,
        rsync="-0 --from0",
    ),
    Option(
        "--files-from",
        "take only the paths that this file lists; -: stdin",
        CHOICE,
        manual="take only the paths that FILE lists, below SOURCE (`-`: stdin; `#` and `;` begin comments; `-0`: "
        "entries end in NUL), and the directories above them. A directory is taken alone, `d/` with what is "
        "right in it; `--recursive`: with all below it, as rsync's `-r`. Anything is deleted only in "
        "directories taken so. What is missing is named, status 23",
        metavar="FILE",
        completes=PATH,
        rsync="--files-from",
    ),
    Option(
        "--recursive",
        "with --files-from: take listed directories with all in them",
        CHOICE,
        field="selection.is_recursive",
        rsync="-r --recursive",
    ),
    Option(
        "--relative",
        "keep the paths of SOURCEs as they are written; what is above /./ is left out",
        CHOICE,
        (MRSYNC,),
        "in `mrsync SOURCE... TARGETS:DEST`: keep the paths of SOURCEs as they are written, with the directories in "
        "them; `/./` says where a path begins. All must begin in the same directory",
        rsync="-R --relative",
    ),
    Option(
        "--ignore-missing-args",
        "a SOURCE that is not there is no error",
        CHOICE,
        (MRSYNC,),
        "in `mrsync SOURCE... TARGETS:DEST`: a SOURCE that is not there is no error",
        rsync="--ignore-missing-args",
    ),
    Option(
        "--copy-links",
        "take what soft links lead to in their place",
        CHOICE,
        manual="take what soft links lead to in their place, wherever that is. One that leads to nothing is named, "
        "status 23",
        field="selection.copies_links",
        rsync="-L --copy-links",
    ),
    Option(
        "--copy-unsafe-links",
        "the same of soft links that lead out of SOURCE",
        CHOICE,
        manual="the same of soft links that are absolute or lead out of SOURCE",
        field="selection.copies_unsafe_links",
        rsync="--copy-unsafe-links",
    ),
    Option(
        "--copy-dirlinks",
        "the same of soft links to directories",
        CHOICE,
        field="selection.copies_dir_links",
        rsync="-k --copy-dirlinks",
    ),
    Option(
        "--safe-links",
        "leave out soft links that lead out of SOURCE",
        CHOICE,
        manual="leave out soft links that are absolute or lead out of SOURCE, on targets too",
        field="selection.skips_unsafe_links",
        rsync="--safe-links",
    ),
    Option(
        "--max-size",
        "leave larger files alone: 1.5m, 2gb-1",
        CHOICE,
        manual="leave larger files alone, on targets too: `1.5m`, `1.5mb` (powers of 1000), `2g-1`",
        metavar="SIZE",
        type=values.size,
        field="selection.size_max",
        rsync="--max-size",
    ),
    Option(
        "--min-size",
        "leave smaller files alone",
        CHOICE,
        manual="leave smaller files alone, on targets too",
        metavar="SIZE",
        type=values.size,
        default=0,
        field="selection.size_min",
        rsync="--min-size",
    ),
    Option(
        "--one-file-system",
        "leave out what is in directories on other file systems",
        CHOICE,
        manual="directories of SOURCE on other file systems are taken empty, and what targets have in them stays "
        "(rsync's `-x`, which is 4.0.1's `--no-monitor` here)",
        field="selection.is_one_file_system",
        rsync="-x --one-file-system",
    ),
    Option(
        "--prune-empty-dirs",
        "leave out directories in which there are only directories",
        CHOICE,
        manual="targets have no directories in which there are only directories, but for protected ones (`P "
        "keep/`); rsync's `-m`; not with `--files-from`",
        field="policy.prunes_empty",
        rsync="-m --prune-empty-dirs",
    ),
    Option(
        "-l --list",
        "sync just these: patterns as ls knows them, with commas, or a file of them",
        LISTS,
        (MRSYNC,),
        "just these: patterns as `ls` knows them, relative to SOURCE, with commas "
        "(`*.c,subs/foo*,sub2/[0-9][0-9].ext`; `\\,` is a comma in a name). A name with `/`, `./` or `../` in "
        "front, or one that only the current directory has, is a file of patterns, one a line. Directories are "
        "taken with all in them. Nothing is compared, nothing deleted. A pattern that matches nothing is a warning; "
        "if none matches, status 3",
        metavar="L",
        completes=PATH,
    ),
    Option(
        "--compare",
        "how targets are compared: every one; by rsync's dry run to the first; not at all. Default: each",
        LISTS,
        (MRSYNC,),
        "`each`: every target by itself (default); `rsync`: 4.0.1's way; `none`: send everything (and delete as "
        "always)",
        choices=COMPARE,
    ),
    Option(
        "-o --rsync-options",
        "more options for rsync's dry run; implies --compare rsync",
        LISTS,
        (MRSYNC,),
        "more options for rsync's dry run, `-o '-c --exclude=*.o'`; implies `--compare rsync`",
        metavar="O",
    ),
    Option(
        "--synclist",
        "send, mend and delete just what this list says",
        LISTS,
        manual="send, mend and delete just what this list says: [synclist.md](synclist.md)",
        letters={MULTICASTER: "-f"},
        metavar="FILE",
        completes=PATH,
    ),
)
