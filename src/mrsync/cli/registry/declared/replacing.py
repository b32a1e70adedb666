"""Options for how new versions of files are written and put into place."""

from __future__ import annotations

from mrsync.cli.registry.option import (
    FOLDER,
    KEEPING,
    LIST,
    SWITCH,
    Option,
)

COMMIT_RULES = ("file", "each", "end", "job")

OPTIONS = (
    Option(
        "--commit",
        "when a file is put into place; default: file",
        KEEPING,
        manual="when a file is put into place. `file` (default): when every live target has received it; a file that"
        " one target cannot take is changed on none. `each`: when this target has received it. `end`: as "
        "`file`, but not before every live target has all files, so that they change together. `job`: all "
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
        "--inplace",
        "write new versions into old ones: readers see torn files",
        KEEPING,
        manual="write a new version into the old file, block by block, instead of beside it: this needs no space for a "
        "second version, keeps the inode and, with `--delta`, leaves unchanged blocks alone (databases, images of "
        "disks, snapshots of file systems). After an insertion, blocks that have moved are mostly sent again, "
        "because the old ones are overwritten on the way. The price: programs that read the file meanwhile see "
        "parts of both versions; a run that breaks, or in which the file cannot be read or some target cannot take "
        "it, leaves the file torn until the next run, which is not resumed; and `--commit` holds for new files "
        "only. A torn file is longer than both versions. Without `--durable`, a power cut soon after the run may "
        "leave parts of old versions in files that seem right (`--checksum` finds them). Files that have several "
        "names, an ACL, another owner or group, that are mount points, less private than the new version, or full "
        "where the new version has more than 64 MB of holes and the file system cannot make any, are replaced as "
        "usual, and so are all with `--backup`, `--update` and `--size-only`. Not with `--commit end` or `job`",
        field="policy.inplace",
        rsync="--inplace",
    ),
    Option(
        "--temp-dir",
        "where files are staged on targets; default: beside their final names",
        KEEPING,
        manual="stage files in this directory of the target instead of beside their final names, where other programs "
        "might notice them. Absolute or relative to DEST; `{host}` is replaced. It must exist, and be on the file "
        "system of DEST, because only there a rename puts a file into place; what is on other file systems or "
        "subvolumes below DEST, or has a quota or key of its own, is staged beside its final name. Below DEST, no "
        "link on the way is followed. Other users gain nothing by writing to it: files are staged in a directory "
        "there that only its owner may enter. A run that broke is resumed with the same directory only",
        metavar="DIR",
        default="",
        completes=FOLDER,
        field="policy.temp_dir",
        rsync="-T --temp-dir",
    ),
    Option(
        "--link-dest",
        "make hard links to unchanged files in DIR on the target",
        KEEPING,
        manual="files that this directory of the target has unchanged, at the same path below it, become hard links to "
        "those and are not sent, so that backups share them. DIR is absolute or relative to DEST; `{host}` is "
        "replaced; of up to 20 directories, the first that has a file counts. A file with other attributes there is "
        "copied",
        metavar="DIR",
        kind=LIST,
        default=[],
        completes=FOLDER,
        field="policy.link_dests",
        rsync="--link-dest",
    ),
    Option(
        "--copy-dest",
        "copy files from DIR on the target that DEST lacks",
        KEEPING,
        manual="as `--link-dest`, with copies instead of hard links, and only of files that DEST does not have at all",
        metavar="DIR",
        kind=LIST,
        default=[],
        completes=FOLDER,
        field="policy.copy_dests",
        rsync="--copy-dest",
    ),
    Option(
        "--compare-dest",
        "leave out files that DIR on the target has unchanged",
        KEEPING,
        manual="as `--link-dest`, but leave out files that are the same there: DEST gets only the others, and all "
        "directories. A file of DEST that is the same there is removed from DEST, as rsync does",
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
        "--drop-cache",
        "do not keep copied data in the page cache",
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
        "-S --sparse",
        "write runs of zeros as holes",
        KEEPING,
        manual="write whole blocks of zeros as holes, with `--inplace` at least 16 kB of them where the old version "
        "has data; holes of SOURCE are preserved in any case",
        field="policy.sparse",
        rsync="-S --sparse",
    ),
)
