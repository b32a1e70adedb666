"""What one option is, and the names of programs and sections."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

MRSYNC, MULTICASTER, MULTICATCHER = "mrsync", "multicaster", "multicatcher"
RTT, RTTCATCHER, DOCTOR = "rtt", "rttcatcher", "mrsync doctor"
FILELIST, REPORT = "trFilelist", "mrsync report"
CASTERS = (MRSYNC, MULTICASTER)
LAUNCHERS = (MRSYNC, RTT, DOCTOR)
SENDERS = (MRSYNC, MULTICASTER, RTT, DOCTOR)
SYNCERS = (MRSYNC, MULTICASTER, MULTICATCHER, DOCTOR)
MEASURERS = (RTT, RTTCATCHER)
BY_HAND = (MULTICASTER, MULTICATCHER, RTT, RTTCATCHER)

# Sections of --help and of docs/cli.md, in their order.
WHAT, CHOICE, LISTS = "what and where", "which files", "only some of the source"
KEEPING, DELETION, BACKUPS = "how files are compared and kept", "deletion", "backups"
NETWORK, REMOTE, OUTPUT = "network", "remote shell", "output and settings"
SECTIONS = (WHAT, CHOICE, LISTS, KEEPING, DELETION, BACKUPS, NETWORK, REMOTE, OUTPUT)

# What the shells complete as a value.
PATH, FOLDER, HOSTS, INTERFACE = "path", "folder", "hosts", "interface"

# How an option is given: once with a value, any number of times, as a flag, with a --no- form, noted in its order.
VALUE, LIST, FLAG, SWITCH, ORDERED = "value", "list", "flag", "switch", "ordered"


class Option(NamedTuple):
    """One option of one or several programs.

    flags: its names, a letter first; the long name less its dashes is the key in settings files.
    help: one line for --help and completions. manual: what the reference and the man pages say, in Markdown.
    letters: further letters, by program. metavar or choices: it takes a value, which `type` reads.
    stores: the attribute of the parsed namespace and the value that a flag puts there, if not its own name and True.
    field: where the value goes as it is, such as `policy.checksum`; empty: code in cli decides what it means.
    conflicts: options of a program with the same word here exclude one another. required_by: programs that need it.
    rsync: the same option of rsync, letter and name; empty: rsync has none. is_common: short --help shows it.
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
    dest: str = ""
    field: str = ""
    conflicts: str = ""
    required_by: tuple[str, ...] = ()
    completes: str = ""
    rsync: str = ""
    is_common: bool = False

    @property
    def how(self) -> str:
        """VALUE, LIST, FLAG, SWITCH or ORDERED."""
        return self.kind or (VALUE if self.takes_value else FLAG)

    @property
    def takes_value(self) -> bool:
        return bool(self.metavar or self.choices)

    @property
    def key(self) -> str:
        """Its long name without dashes; the letter of an option that has none."""
        return self.flags.split()[-1].lstrip("-")

    @property
    def attribute(self) -> str:
        """Of the parsed namespace."""
        if self.stores:
            return self.stores[0]
        first_long = next((flag for flag in self.flags.split() if flag.startswith("--")), self.flags.split()[0])
        return self.dest or first_long.lstrip("-").replace("-", "_")

    def names(self, program: str) -> list[str]:
        """As this program takes it, letters first, without --no- forms."""
        return [*([self.letters[program]] if program in self.letters else []), *self.flags.split()]

    def all_names(self, program: str) -> list[str]:
        """The same with --no- forms behind."""
        names = self.names(program)
        return names + [f"--no-{name[2:]}" for name in names if name.startswith("--") and self.how == SWITCH]

    def value(self) -> str:
        """How its value is written in help; empty for a flag."""
        return self.metavar or ("|".join(self.choices))
