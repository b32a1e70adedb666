"""Options that choose files."""

from __future__ import annotations

from mrsync.cli.registry import values
from mrsync.cli.registry.option import CHOICE, COUNT, LISTS, MRSYNC, MULTICASTER, ORDERED, PATH, Option

COMPARE = ("each", "rsync", "none")

OPTIONS = (
    Option(
        "--include",
        "include matching files; the first matching rule counts",
        CHOICE,
        manual="include matching files. Filter rules are those of rsync. They are applied in the order given, and "
        "the first that matches counts",
        metavar="PATTERN",
        kind=ORDERED,
        rsync="--include",
    ),
    Option(
        "--exclude",
        "exclude matching files; targets keep theirs",
        CHOICE,
        manual="exclude matching files: they are not sent, and on targets they are not deleted",
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
        "--filter=': /.rsync-filter'; twice: also --filter='- .rsync-filter'",
        CHOICE,
        manual="the same as `--filter=': /.rsync-filter'`; given twice, also `--filter='- .rsync-filter'`",
        kind=ORDERED,
        rsync="-F",
    ),
    Option(
        "-C --cvs-exclude",
        "exclude the files that CVS ignores",
        CHOICE,
        rsync="-C --cvs-exclude",
    ),
    Option(
        "-0 --from0",
        "entries of the following files end in NUL",
        CHOICE,
        manual="entries of the following files, and of merge files, end in NUL",
        kind=ORDERED,
        rsync="-0 --from0",
    ),
    Option(
        "--files-from",
        "sync only the paths that this file lists; -: stdin",
        CHOICE,
        manual="sync only the paths below SOURCE that FILE lists, and the directories above them (`-`: stdin; `#` "
        "and `;` begin comments; `-0`: entries end in NUL). `d` means the directory alone, `d/` its direct "
        "children as well; with `--recursive`, as with rsync's `-r`, everything below it. Files are deleted "
        "only in directories that are synced completely. Missing paths are reported, status 23",
        metavar="FILE",
        completes=PATH,
        rsync="--files-from",
    ),
    Option(
        "--recursive",
        "with --files-from: sync listed directories completely",
        CHOICE,
        field="selection.is_recursive",
        rsync="-r --recursive",
    ),
    Option(
        "--relative",
        "keep the paths of SOURCEs as given, without the part before /./",
        CHOICE,
        (MRSYNC,),
        "in `mrsync SOURCE... TARGETS:DEST`: keep the paths of SOURCEs as given, including their directories;"
        " the kept path begins after `/./`, if there is one. Paths that begin in several directories have one name "
        "behind `/./`: `/srv/./www /etc/./nginx`. A kept path has no `..`",
        rsync="-R --relative",
    ),
    Option(
        "--ignore-missing-args",
        "ignore SOURCEs that do not exist",
        CHOICE,
        (MRSYNC,),
        "in `mrsync SOURCE... TARGETS:DEST`: ignore SOURCEs that do not exist",
        rsync="--ignore-missing-args",
    ),
    Option(
        "--delete-missing-args",
        "delete from targets each SOURCE that does not exist",
        CHOICE,
        (MRSYNC,),
        "in `mrsync SOURCE... TARGETS:DEST`: a SOURCE, or a path of `--files-from`, that does not exist is deleted on "
        "targets, too. A directory that is not empty is deleted only with `--delete`, otherwise reported, status 23",
        rsync="--delete-missing-args",
    ),
    Option(
        "--copy-links",
        "replace soft links by what they lead to",
        CHOICE,
        manual="replace soft links by what they lead to, inside or outside of SOURCE. Broken links are reported, "
        "status 23",
        field="selection.copies_links",
        rsync="-L --copy-links",
    ),
    Option(
        "--copy-unsafe-links",
        "replace only soft links that lead out of SOURCE",
        CHOICE,
        manual="replace soft links that are absolute or lead out of SOURCE by what they lead to",
        field="selection.copies_unsafe_links",
        rsync="--copy-unsafe-links",
    ),
    Option(
        "--copy-dirlinks",
        "replace soft links to directories by the directories",
        CHOICE,
        field="selection.copies_dir_links",
        rsync="-k --copy-dirlinks",
    ),
    Option(
        "--safe-links",
        "omit soft links that lead out of SOURCE",
        CHOICE,
        manual="omit soft links that are absolute or lead out of SOURCE, and leave theirs alone on targets",
        field="selection.skips_unsafe_links",
        rsync="--safe-links",
    ),
    Option(
        "--max-size",
        "skip larger files: 1.5m, 2gb-1",
        CHOICE,
        manual="skip larger files, and leave them alone on targets: `1.5m`, `1.5mb` (powers of 1000), `2g-1`",
        metavar="SIZE",
        type=values.size,
        field="selection.size_max",
        rsync="--max-size",
    ),
    Option(
        "--min-size",
        "skip smaller files",
        CHOICE,
        manual="skip smaller files, and leave them alone on targets",
        metavar="SIZE",
        type=values.size,
        default=0,
        field="selection.size_min",
        rsync="--min-size",
    ),
    Option(
        "--one-file-system",
        "do not enter directories on other file systems",
        CHOICE,
        manual="sync directories of SOURCE on other file systems as empty directories, or, given twice, not at all. "
        "Nothing is deleted from the empty ones, and nothing that is mounted in DEST. This is rsync's `-x`; here `-x` "
        "means `--no-monitor`, as in 4.0.1",
        default=0,
        kind=COUNT,
        field="selection.one_file_system",
        rsync="-x --one-file-system",
    ),
    Option(
        "--prune-empty-dirs",
        "omit directories that contain nothing but directories",
        CHOICE,
        manual="omit directories that contain nothing but directories, unless they are protected (`P keep/`). This "
        "is rsync's `-m`",
        field="policy.prunes_empty",
        rsync="-m --prune-empty-dirs",
    ),
    Option(
        "-l --list",
        "sync only these: shell patterns separated by commas, or a file of them",
        LISTS,
        (MRSYNC,),
        "sync only these: shell patterns relative to SOURCE, separated by commas "
        "(`*.c,subs/foo*,sub2/[0-9][0-9].ext`; `\\,` is a comma in a name). A value that begins with `/`, `./`"
        " or `../`, or that exists only in the current directory, names a file with one pattern per line. "
        "Directories are synced completely. Nothing is compared, and nothing is deleted. A pattern that "
        "matches nothing causes a warning; if none matches, the status is 3",
        metavar="L",
        completes=PATH,
    ),
    Option(
        "--compare",
        "how targets are compared: each one, by rsync's dry run with the first, or not at all. Default: each",
        LISTS,
        (MRSYNC,),
        "how targets are compared. `each` (default): every target compares its own tree; `rsync`: rsync's dry"
        " run compares the first target, as in 4.0.1; `none`: send everything, and delete as usual",
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
        "send, update and delete only what this list names",
        LISTS,
        manual="send, update and delete only what this list names: see [synclist.md](synclist.md)",
        letters={MULTICASTER: "-f"},
        metavar="FILE",
        completes=PATH,
    ),
)
