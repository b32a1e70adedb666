"""The declaration of an option, and the names of programs and sections."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mrsync.tuples import NamedTuple

MRSYNC, MULTICASTER, MULTICATCHER = "mrsync", "multicaster", "multicatcher"
RTT, RTTCATCHER, DOCTOR, VERIFY = "rtt", "rttcatcher", "mrsync doctor", "mrsync verify"
FILELIST, REPORT = "trFilelist", "mrsync report"
CASTERS = (MRSYNC, MULTICASTER)
LAUNCHERS = (MRSYNC, RTT, DOCTOR, VERIFY)
SENDERS = (MRSYNC, MULTICASTER, RTT, DOCTOR)
SYNCERS = (MRSYNC, MULTICASTER, MULTICATCHER, DOCTOR)
MEASURERS = (RTT, RTTCATCHER)
BY_HAND = (MULTICASTER, MULTICATCHER, RTT, RTTCATCHER)

# Sections of --help and docs/cli.md in order.
WHAT, CHOICE, LISTS = "what and where", "which files", "only some of the source"
KEEPING, DELETION, BACKUPS = "how files are compared and kept", "deletion", "backups"
NETWORK, REMOTE, OUTPUT = "network", "remote shell", "output and settings"
SECTIONS = (WHAT, CHOICE, LISTS, KEEPING, DELETION, BACKUPS, NETWORK, REMOTE, OUTPUT)

# How shells complete a value.
PATH, FOLDER, HOSTS, INTERFACE = "path", "folder", "hosts", "interface"
ELSEWHERE = "elsewhere"  # a path on the targets, which cannot be completed here

# How an option is given: once with a value, repeatedly, as a flag, as a flag with --no- form, as
# a flag that means more when it is repeated, in order.
VALUE, LIST, FLAG, SWITCH, COUNT, ORDERED = "value", "list", "flag", "switch", "count", "ordered"


class Option(NamedTuple):
    """An option of one or more programs.

    flags: its names, letter first. The long name without dashes is the key in settings files.
    help: one line for --help and completions.
    manual: Markdown for the reference and the man pages.
    letters: additional letters, by program.
    metavar, choices: if one is set, it takes a value, which `type` parses.
    stores: the attribute and value that a flag stores, if not its own name and True.
    alone: what it gives without its value, which then only follows a `=`; None: it needs its value.
    field: where the value goes unchanged, such as `policy.checksum`; empty: code in cli interprets it.
    conflicts: options of a program with the same word here exclude each other.
    required_by: programs that need it.
    rsync: names of rsync's equivalent, letter and long; empty: there is none.
    is_common: the short --help has it.
    is_single: it cannot have two values on one command line. Of other options the last value counts, as in rsync.
    """

    flags: str
    help: str
    section: str
    programs: tuple[str, ...] = CASTERS
    manual: str = ""
    letters: Mapping[str, str] = {}
    metavar: str | None = None
    choices: tuple[str, ...] = ()
    type: Callable[[str], Any] | None = None
    default: Any = None
    kind: str = ""
    stores: tuple[str, Any] | None = None
    alone: Any = None
    dest: str = ""
    field: str = ""
    conflicts: str = ""
    required_by: tuple[str, ...] = ()
    completes: str = ""
    rsync: str = ""
    is_common: bool = False
    is_single: bool = False

    @property
    def how(self) -> str:
        """How it is given: VALUE, LIST, FLAG, SWITCH, COUNT or ORDERED."""
        return self.kind or (VALUE if self.takes_value else FLAG)

    @property
    def takes_value(self) -> bool:
        return bool(self.metavar or self.choices)

    @property
    def key(self) -> str:
        """The long name without dashes, or the letter if there is none."""
        return self.flags.split()[-1].lstrip("-")

    @property
    def attribute(self) -> str:
        """The name of its attribute in the parsed namespace."""
        if self.stores:
            return self.stores[0]
        first_long = next((flag for flag in self.flags.split() if flag.startswith("--")), self.flags.split()[0])
        return self.dest or first_long.lstrip("-").replace("-", "_")

    @property
    def is_path(self) -> bool:
        """Whether its value is a path, which cannot be empty."""
        return self.completes in (PATH, FOLDER, ELSEWHERE)

    def names(self, program: str) -> list[str]:
        """Return its names in this program, letters first, without --no- forms."""
        return [*([self.letters[program]] if program in self.letters else []), *self.flags.split()]

    def all_names(self, program: str) -> list[str]:
        """Return its names in this program, followed by --no- forms."""
        names = self.names(program)
        return names + [f"--no-{name[2:]}" for name in names if name.startswith("--") and self.how == SWITCH]

    def value(self) -> str:
        """Return how help shows its value; empty for a flag."""
        return self.metavar or ("|".join(self.choices))

    def around_value(self) -> tuple[str, str]:
        """Return what help shows before and after its value; nothing for a flag."""
        if not self.takes_value:
            return "", ""
        return (" ", "") if self.alone is None else ("[=", "]")
