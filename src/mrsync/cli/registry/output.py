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

OPTIONS = (
    Option(
        "-v --verbose",
        "0: the essential, 1: status, 2: debugging",
        OUTPUT,
        (MRSYNC, MULTICASTER, MULTICATCHER, RTT, RTTCATCHER, DOCTOR, VERIFY),
        "how much to tell. 0: the essential (default), 1: also status and round trips, 2: also for debugging. `rtt` "
        "and `doctor` give every target a row with 1, `verify` names every difference",
        metavar="N",
        type=values.verbosity,
        default=0,
        field="settings.verbosity",
        rsync="-v --verbose",
        is_common=True,
    ),
    Option(
        "--progress",
        "the display; default: auto",
        OUTPUT,
        (*SENDERS, VERIFY),
        "`auto` (default): a live display on a terminal, else a line after 1 s and then every 10 s; `json`: one "
        "JSON object a line, for programs",
        choices=("auto", "plain", "none", "json"),
        default="auto",
        field="output.progress",
        rsync="--progress",
        is_common=True,
    ),
    Option(
        "--stats",
        "tell more at the end",
        OUTPUT,
        field="output.has_stats",
        rsync="--stats",
    ),
    Option(
        "--quiet",
        "say nothing but what is wrong",
        OUTPUT,
        manual="say nothing but what is wrong: no display, no verdict",
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
        "Both may be given. They are written at every end, errors and Ctrl-C included, by one rename, with "
        "mode 640; what is there under the name (a link, too) is replaced. If one cannot be written, that is "
        "said, and the status stays that of the run",
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
        "append when sessions begin and end, and every notice between",
        OUTPUT,
        manual="append one line for the start of the session (source, DEST, targets, options), one for every notice "
        "whatever `-v` says, and one for its end (exit status, outcome, bytes, seconds): time with offset, "
        "session, event. Each line is one write, so sessions may share a file; line breaks in names are "
        "escaped. It must be a regular file of yours or root's, not a link; a new one gets mode 640. If it "
        "cannot be opened, nothing starts (status 11); if it cannot be written later, that is said and the "
        "run goes on",
        metavar="F",
        field="output.log_file",
        completes=PATH,
        rsync="--log-file",
    ),
    Option(
        "--log-format",
        "of the log file; default: text",
        OUTPUT,
        manual="how lines of the log file are written; default: text",
        choices=("text", "json"),
        default="text",
        field="output.log_format",
    ),
    Option(
        "--log-level",
        "debug: also log every phase, message and burst of packets",
        OUTPUT,
        manual="what to write to the log file. `info` (default): start, notices, end. `debug`: also one line for every "
        "phase, for every message that the master sends or receives, and for every burst of packets. This "
        "is for bug reports: it slows the run down and writes about 1 MB per 200 MB of contents",
        choices=("info", "debug"),
        default="info",
        field="output.log_level",
    ),
    Option(
        "--metrics",
        "write figures for Prometheus (node_exporter's textfile collector)",
        OUTPUT,
        manual="write figures of the run for Prometheus, for node_exporter's textfile collector, as reports are "
        "written (a directory with the setgid bit gives it the collector's group)",
        metavar="FILE.prom",
        field="output.metrics",
        completes=PATH,
    ),
    Option(
        "--config",
        f"settings, over those of {SYSTEM_FILE} and ~/.config/mrsync",
        OUTPUT,
        LAUNCHERS,
        f"a file with settings that count more than those of `{SYSTEM_FILE}` and `~/.config/mrsync/config.toml`",
        metavar="FILE",
        completes=PATH,
    ),
)
