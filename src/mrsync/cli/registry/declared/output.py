"""Options for output, and for settings files."""

from __future__ import annotations

from mrsync.cli.registry import values
from mrsync.cli.registry.option import (
    DOCTOR,
    LAUNCHERS,
    LIST,
    MRSYNC,
    MULTICASTER,
    MULTICATCHER,
    OUTPUT,
    PATH,
    REPORT,
    RTT,
    RTTCATCHER,
    SENDERS,
    VERIFY,
    Option,
)

SYSTEM_FILE = "/etc/mrsync/config.toml"

LOG_FORMATS = ("text", "json")
OPTIONS = (
    Option(
        "-v --verbose",
        "which messages to show: 0: essential, 1: also status, 2: also debugging",
        OUTPUT,
        (MRSYNC, MULTICASTER, MULTICATCHER, RTT, RTTCATCHER, DOCTOR, VERIFY),
        "how much to print. 0: essential messages (default), 1: also status and round trips, 2: also messages for "
        "debugging. With 1, `rtt` and `doctor` print a row for every target, and `verify` names every difference. In "
        "rsync's form the first `-v` lists names, as there (`--info=name`), and `-vv` and `-vvv` are 1 and 2",
        metavar="N",
        type=values.verbosity,
        default=0,
        field="settings.verbosity",
        rsync="-v --verbose",
        is_common=True,
    ),
    Option(
        "--progress",
        "how progress is shown; default: auto",
        OUTPUT,
        (*SENDERS, VERIFY),
        "how progress is shown. `auto` (default): a live display on a terminal, else a line after 1 s and "
        "then every 10 s; `json`: one JSON object per line, for programs",
        choices=("auto", "plain", "none", "json"),
        default="auto",
        field="output.progress",
        rsync="--progress",
        is_common=True,
    ),
    Option(
        "--out-format",
        "the format of lines for changes, in rsync's notation: '%i %n%L'",
        OUTPUT,
        manual="print a line for every change, as `-i` does, in rsync's notation: `%i` letters of `-i`, `%n` path, "
        "`%L` what a link leads to, `%f` path without the slash of directories, `%l` size (0 of directories), "
        "`%M` time, `%B` mode, `%U` user, `%G` group, `%o` `send` or `del.`, `%t` now, `%p` process, `%h` the targets, "
        "which come first otherwise; a width and apostrophes as with rsync (`%-20n`, `%'l`). `%b`, `%c` and `%C` are "
        "refused",
        metavar="FORMAT",
        rsync="--out-format",
    ),
    Option(
        "--info",
        "what to print, in rsync's words: progress, stats, name, del; help lists all",
        OUTPUT,
        (MRSYNC,),
        "what to print, in rsync's words: `progress` (or `progress2`) and `stats` are `--progress` and `--stats`, "
        "`name` is `--out-format '%n%L'`, `del` lists only deletions, `all` is all of these, `none` nothing, "
        "`0` behind a word means not; rsync's other words are accepted without effect. `--info=help` lists them",
        metavar="FLAGS",
        kind=LIST,
        default=[],
        rsync="--info",
    ),
    Option(
        "--stats",
        "print more figures at the end",
        OUTPUT,
        field="output.has_stats",
        rsync="--stats",
    ),
    Option(
        "--quiet",
        "print only errors and warnings",
        OUTPUT,
        (*SENDERS, DOCTOR, VERIFY),
        "print only errors and warnings: no display, no changes, no verdict; of `verify` and `doctor`, nothing where "
        "all is well",
        field="output.is_quiet",
        rsync="-q --quiet",
    ),
    Option(
        "--json",
        "print the result as one JSON object",
        OUTPUT,
        (RTT, DOCTOR, VERIFY),
        field="output.is_json",
    ),
    Option(
        "--report",
        "write the outcome to a .json or .html file",
        OUTPUT,
        manual="write the whole outcome: a name in `.json` for programs, in `.html` a page with charts for people. "
        "Both may be given. They are written at every end, including errors and Ctrl-C, atomically and with "
        "mode 640; an existing file or link is replaced. If FILE cannot be written when the run starts, nothing does "
        "(status 11); if it cannot be written at the end, this is reported, and the status remains that of the run",
        metavar="FILE",
        kind=LIST,
        default=[],
        completes=PATH,
        is_common=True,
    ),
    Option(
        "-o --output",
        "where to write the page; default: FILE.html beside FILE.json",
        OUTPUT,
        (REPORT,),
        metavar="FILE.html",
        completes=PATH,
        is_common=True,
    ),
    Option(
        "--log-file",
        "append the start and end of sessions, and every notice",
        OUTPUT,
        manual="append one line for the start of the session (source, DEST, targets, options), one for every notice "
        "whatever `-v` is, one for every change with `-i` or `--out-format` (also with `--quiet`), and one for the end "
        "(exit status, outcome, bytes, seconds), each with time, session and event. Each line is a single write, so "
        "sessions may share a file; line breaks in names are escaped. The log must be a regular file owned by you or "
        "root, not a link; a new one gets mode 640. If it cannot be opened, nothing starts (status 11); if it cannot "
        "be written later, this is reported and the run goes on",
        metavar="F",
        field="output.log_file",
        completes=PATH,
        rsync="--log-file",
    ),
    Option(
        "--log-format",
        "format of the log file; default: text",
        OUTPUT,
        manual="format of the lines in the log file; default: text",
        choices=LOG_FORMATS,
        default=LOG_FORMATS[0],
        field="output.log_format",
    ),
    Option(
        "--log-level",
        "debug: also log every phase, message and burst of packets",
        OUTPUT,
        manual="what to write to the log file. `info` (default): start, notices, phases, end. `debug`: also one line "
        "for every message that the master sends or receives, and for every burst of packets. This "
        "is for bug reports: it slows the run down and writes about 1 MB per 200 MB of contents",
        choices=("info", "debug"),
        default="info",
        field="output.log_level",
    ),
    Option(
        "--metrics",
        "write figures for Prometheus (node_exporter's textfile collector)",
        OUTPUT,
        manual="write figures of the run for Prometheus (node_exporter's textfile collector), in the same way as "
        "reports: of the run, and for each target whether it is complete, bytes written, deletions and seconds. A "
        "directory with the setgid bit gives the file the collector's group",
        metavar="FILE.prom",
        field="output.metrics",
        completes=PATH,
    ),
    Option(
        "--config",
        f"a file with settings, which override those of {SYSTEM_FILE} and ~/.config/mrsync",
        OUTPUT,
        LAUNCHERS,
        f"a file with settings that count more than those of `{SYSTEM_FILE}` and `~/.config/mrsync/config.toml`",
        metavar="FILE",
        completes=PATH,
    ),
)
