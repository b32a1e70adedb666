"""All options in the order of sections, and the options of one program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mrsync.cli.registry.declared import choosing, keeping, network, output, removing, replacing, running
from mrsync.cli.registry.option import (
    DOCTOR,
    FILELIST,
    MRSYNC,
    MULTICASTER,
    MULTICATCHER,
    REPORT,
    RTT,
    RTTCATCHER,
    SECTIONS,
    VERIFY,
    Option,
)

OPTIONS = (
    *running.OPTIONS,
    *choosing.OPTIONS,
    *keeping.OPTIONS,
    *replacing.OPTIONS,
    *removing.OPTIONS,
    *network.OPTIONS,
    *output.OPTIONS,
)

PROGRAMS: Mapping[str, str] = {
    MRSYNC: "Make DEST on all TARGETS equal to SOURCE, every byte sent once, by multicast.",
    MULTICASTER: "Cast SOURCE to multicatchers that were started by hand.",
    MULTICATCHER: "Receive a tree from a multicaster into DEST.",
    RTT: "Send pages one after another, and show how long the echo of each target took.",
    RTTCATCHER: "Echo the pages of rtt until interrupted.",
    DOCTOR: "Test everything that a sync needs, on all TARGETS at once, and report faults.",
    VERIFY: "Compare DEST on all TARGETS with the record of its last sync. SOURCE is not needed.",
    FILELIST: "Turn the output of rsync -avW --dry-run --delete [-H] [-i] into a synclist on stdout.",
    REPORT: "Make an HTML page from a JSON report.",
}

FORMS: Mapping[str, tuple[str, ...]] = {  # of command lines
    MRSYNC: (
        "mrsync -m TARGETS -s SOURCE [-t DEST] [options]",
        "mrsync [rsync's options] SOURCE... TARGETS:DEST",
        "mrsync doctor|verify|rtt|filelist|report|demo|help|completion ...",
    ),
    MULTICASTER: ("multicaster -m TARGETS -s SOURCE --key-file FILE [options]",),
    MULTICATCHER: ("multicatcher -t DEST -i ID --key-file FILE [options]",),
    RTT: ("rtt -m TARGETS [options]",),
    RTTCATCHER: ("rttcatcher --key-file FILE [options]",),
    DOCTOR: ("mrsync doctor -m TARGETS [-t DEST] [options]", "mrsync doctor TARGETS:DEST [options]"),
    VERIFY: ("mrsync verify -m TARGETS -t DEST [options]", "mrsync verify TARGETS:DEST [options]"),
    FILELIST: ("trFilelist RSYNC_OUTPUT SOURCE [options]",),
    REPORT: ("mrsync report FILE.json [options]",),
}
DESCRIPTIONS: Mapping[str, Sequence[str]] = {  # paragraphs for the man page
    MRSYNC: (
        "mrsync copies a directory tree to many hosts at once. Every byte crosses the network once, by UDP multicast; "
        "where the network carries none, targets pass on what they have. Targets need Python 3.9 and a remote shell.",
        "With -m TARGETS -s SOURCE, the contents of SOURCE become the contents of DEST, and what SOURCE does not have "
        "is deleted there, unless --no-delete is given. In a line with SOURCE... TARGETS:DEST all options mean what "
        "they mean to rsync, and nothing is deleted without --delete.",
        "Firewalls must let UDP port 8888 into the targets, and port 8887 into the master; mrsync doctor tests that. "
        "A run that broke is taken up by the next one.",
    ),
}
DOCUMENTS = "/usr/share/doc/mrsync"  # of the Debian package
DOCUMENTS_ONLINE = "https://github.com/mrsync/mrsync/tree/main/docs"
EXAMPLES: Mapping[str, Mapping[str, str]] = {
    MRSYNC: {
        "mrsync doctor -m 'node[1-9]' -t /data": "test hosts and network for problems",
        "mrsync -m 'node[1-9]' -s /data -n -i": "show what would change on nine hosts",
        "mrsync -aH --delete /srv/www/ web1,web2:/srv/www": "make /srv/www on two hosts equal to the one here",
    },
}


def options_of(program: str) -> list[Option]:
    """Return the options of a program in the order of sections."""
    return [
        option for section in SECTIONS for option in OPTIONS if option.section == section and program in option.programs
    ]


def fields_of(program: str, owner: str, values: object) -> dict[str, Any]:
    """Return the fields of `owner` (such as policy) that options of a program set. values: the parsed namespace."""
    return {
        option.field.partition(".")[2]: _frozen(getattr(values, option.attribute))
        for option in OPTIONS
        if program in option.programs and option.field.partition(".")[0] == owner
    }


def _frozen(value: Any) -> Any:
    """Return what an option gave, a list as a tuple."""
    return tuple(value) if isinstance(value, list) else value
