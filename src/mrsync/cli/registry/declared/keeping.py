"""Options for comparing files, and for what is preserved of them."""

from __future__ import annotations

from mrsync.cli.registry import values
from mrsync.cli.registry.option import (
    KEEPING,
    LIST,
    SWITCH,
    Option,
)

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
        "--links",
        "preserve soft links; default: yes",
        KEEPING,
        manual="preserve soft links; default: yes. With `--no-links` they are neither made nor deleted",
        kind=SWITCH,
        default=True,
        field="selection.takes_links",
        rsync="-l --links",
    ),
    Option(
        "--perms",
        "preserve modes; default: yes",
        KEEPING,
        manual="preserve modes; default: yes. With `--no-perms`, what a target has keeps its mode, and new entries get "
        "the mode of SOURCE as far as the umask of the target's user allows. Set-ID bits are neither given nor kept on "
        "files. ACLs (`--acls`) bring modes with them. Not with `-l`, `--synclist` and `--compare rsync`",
        kind=SWITCH,
        default=True,
        rsync="-p --perms",
    ),
    Option(
        "--executability",
        "with --no-perms, preserve whether files may be executed",
        KEEPING,
        field="policy.executability",
        rsync="-E --executability",
    ),
    Option(
        "--owner",
        "preserve owners where the target has root; default: yes",
        KEEPING,
        manual="preserve owners where the target has root; default: yes. With `--no-owner`, what is new or replaced "
        "belongs to the user that receives it, and files of others get no setuid bit. `--chown` and `--usermap` are "
        "heeded nevertheless",
        kind=SWITCH,
        default=True,
        rsync="-o --owner",
    ),
    Option(
        "--groups",
        "preserve groups; default: yes",
        KEEPING,
        manual="as `--owner`, for groups: with `--no-groups`, what is new or replaced gets the group of the user that "
        "receives it, or that of a directory with a setgid bit",
        kind=SWITCH,
        default=True,
        rsync="-g --group",
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
        "map owners, such as 0-99:nobody,web*:www",
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
        "--omit-link-times",
        "do not set the times of soft links",
        KEEPING,
        field="policy.omit_link_times",
        rsync="-J --omit-link-times",
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
    Option("-D", "--devices --specials", KEEPING, manual="the same as `--devices --specials`"),
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
)
