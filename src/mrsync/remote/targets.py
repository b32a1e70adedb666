"""Resolve TARGETS: a file, stdin, an Ansible inventory, or a node set as in clush."""

from __future__ import annotations

import os
import re
import socket
import sys
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Mapping, Sequence, Set
from functools import partial
from typing import BinaryIO

from mrsync.errors import UsageError
from mrsync.files import open_named, read_bounded
from mrsync.remote.inventory import ALL, NAMES_MAX, Inventory, Member, read_inventory
from mrsync.spelling import did_you_mean
from mrsync.tuples import NamedTuple

# A name becomes an argument of a remote shell, so it must not look like an option or shell syntax.
NAME = re.compile(r"[A-Za-z0-9_:][A-Za-z0-9._:%@-]{0,254}")
HOST = re.compile(r"[A-Za-z0-9_:]")  # first character after user@
# [::1] as in URLs. A range such as node[1-9] has no colon.
BRACKETED = re.compile(r"\[((?:[0-9A-Fa-f]*:){2,}[0-9A-Fa-f.:]*(?:%[^\s,\[\]]+)?)\]")
PORTED = re.compile(BRACKETED.pattern + r":[0-9]+")
# A group of ClusterShell: @name, @source:name, @rack[1-4]; not the @ of user@host.
GROUP = re.compile(r"(?<![A-Za-z0-9_.-])@(?:[^,&^!\s\[\]]|\[[^\]]*\])+")
PLACED = re.compile(r"[^/]+:[/~]")  # HOST:PATH
RANGES = re.compile(r"\[[^\]]*\]")  # may contain a slash, as in node[0-8/2]
WORD = re.compile(r"(?:[^,\[]|\[[^\]]*\])+")  # between commas that are not in brackets
LETTERS = re.compile(r"\[([0-9_.,-]*[A-Za-z][A-Za-z0-9_.,-]*)\]")
BRACKET = re.compile(r"[\[\]]")
LIST_ENDINGS = (".txt", ".csv", ".list", ".lst")
INVENTORY_ENDINGS = (".ini", ".yml", ".yaml", ".json")  # groups of ClusterShell have no such names
SHOWN_MAX = 200
DIGITS_MAX = 18  # of a number in a range
STDIN = "-"
RANGE = re.compile(r"(\d+)-(\d+)|([A-Za-z])-([A-Za-z])")
NODESET_SYNTAX = re.compile(r"[\[\]!&^*]|(?<![A-Za-z0-9_.-])@")


class Targets(NamedTuple):
    """Hosts to sync to, names that were left out because they mean this host, and names that the user excluded.

    members: what inventories say about hosts, by their names, if they say more than the name. files: names of files
    that were read, and that hosts could have, too.
    """

    hosts: tuple[str, ...]
    left_out: tuple[str, ...] = ()
    excluded: frozenset[str] = frozenset()
    members: Mapping[str, Member] = {}
    files: tuple[str, ...] = ()


def read_targets(
    texts: Sequence[str], excluded: Sequence[str] = (), elsewhere: Sequence[str] = (), *, keeps_own_host: bool = False
) -> Targets:
    """Parse TARGETS, `texts`, from the command line. Keep the order and drop duplicates.

    excluded: targets to leave out, in the same syntax; HOST also means USER@HOST. elsewhere: more of them, which need
    not be in TARGETS, as what groups and files of `excluded` name. keeps_own_host: do not leave out this host. Raise
    UsageError for an invalid name or if no target remains.
    """
    without = {name for text in (*excluded, *elsewhere) for name in _names(text)}
    members: dict[str, Member] = {}
    listed: dict[str, None] = {}
    for text in texts:
        if not (named := _names(text, members)):
            raise UsageError(f"no target in {text!r}")
        listed |= named
    for text in excluded:
        _check_excluded(text, {form for name in listed for form in _forms(name)})
    names = [name for name in listed if without.isdisjoint(_forms(name))]
    own = [] if keeps_own_host else [name for name in names if is_own_name(name)]
    hosts = tuple(name for name in names if name not in own)
    if not hosts:
        why = f"is left: {', '.join(own)} is this host" if own else f"in {','.join(texts)!r}"
        raise UsageError(f"no target {why}")
    known = {host: members[host] for host in hosts if host in members}
    files = tuple(filter(_is_host_or_file, dict.fromkeys([*texts, *excluded, *elsewhere])))
    return Targets(hosts, tuple(own), frozenset(without), known, files)


def named_among(text: str, targets: Targets, *, names_others: bool = False) -> frozenset[str]:
    """Return those of the hosts that `text` names, in the syntax of TARGETS.

    HOST also names USER@HOST. Ignore names that are missing only because they were left out or excluded; names_others:
    and all others that are not there. Raise UsageError for any other unknown name, or if there is no name.
    """
    names = _names(text)
    if not names:
        raise UsageError("it names no target")
    known = (*targets.hosts, *targets.left_out, *targets.excluded)
    strangers = names.keys() - {form for each in known for form in _forms(each)}
    if strangers and not names_others:
        stranger = next(name for name in names if name in strangers)
        raise UsageError(f"{stranger} is not among the targets")
    return frozenset(host for host in targets.hosts if not names.keys().isdisjoint(_forms(host)))


def _forms(name: str) -> tuple[str, str]:
    """Return what names a target: USER@HOST, and HOST alone."""
    return name, name.rpartition("@")[2]


def _check_excluded(text: str, known: Set[str]) -> None:
    """Raise UsageError for a word of --exclude-target that names none of the known targets, so it may be misspelled.

    What a group or a file lists may be elsewhere.
    """
    for word in () if text == STDIN or os.path.isfile(text) else map(str.strip, WORD.findall(text)):
        if word and not GROUP.search(word) and known.isdisjoint(_expand_all(word)):
            raise UsageError(f"--exclude-target: {word} is not among the targets{did_you_mean(word, known)}")


def is_own_name(name: str) -> bool:
    """Return whether this is a name or address of this host. Ask DNS only if the short names are equal."""
    host = name.rpartition("@")[2].lower()
    if is_address(host):
        return _is_own_address(host)
    own = socket.gethostname().lower()
    if host in ("localhost", "localhost.localdomain", own, own.partition(".")[0]):
        return True
    return host.partition(".")[0] == own.partition(".")[0] and host == socket.getfqdn().lower()


def _is_host_or_file(text: str) -> bool:
    """Return whether TARGETS is a file, and could also be a host. A file counts more, as in 4.0.1."""
    return NAME.fullmatch(text) is not None and not text.endswith(INVENTORY_ENDINGS) and os.path.isfile(text)


def _what_was_meant(name: str) -> str:
    """Return what to write instead of a name that no host can have, if it is known what was meant."""
    before, _, after = name.rpartition(":")
    if os.path.isfile(before):
        return f"; a group of an inventory is written @{name}"
    if name.endswith((*INVENTORY_ENDINGS, *LIST_ENDINGS)):
        return f"; a file is read where it is all of TARGETS, and several -m add up: -m {name} -m node1"
    if before and after.isdecimal():
        return f"; ports belong to the remote shell: --rsh 'ssh -p {after}', or Port in ~/.ssh/config"
    return ""


def _names(text: str, members: dict[str, Member] | None = None) -> dict[str, None]:
    """Return the names that a text means. members: gets what inventories say about them."""
    _check_brackets(text)
    listed: list[Member] = []
    names = dict.fromkeys(_expand_all(_resolved(text, listed)))
    if members is not None:
        for member in listed:
            _note(member, members)
    for name in names:
        host = name.rpartition("@")[2]
        is_file = name == host and name.endswith((*INVENTORY_ENDINGS, *LIST_ENDINGS))
        if is_file or not NAME.fullmatch(name) or not HOST.match(host) or (":" in host and not is_address(host)):
            raise UsageError(f"no host can have the name {name[:SHOWN_MAX]!r}{_what_was_meant(name)}")
    return names


def _expand_all(text: str) -> list[str]:
    if ported := PORTED.search(text):  # without its brackets it would be another address
        raise UsageError(f"no host can have the name {ported[0]!r}{_what_was_meant(ported[0])}")
    text = BRACKETED.sub(r"\1", text)
    _check_brackets(text)
    _check_size(text)
    return _expand(_expand_letters(text))


def _note(member: Member, members: dict[str, Member]) -> None:
    """Keep what an inventory says about the hosts of an entry. Raise UsageError if another entry contradicts it."""
    if member == Member(member.name):
        return
    for name in _expand_all(member.name):
        known = members.setdefault(name, member)
        if known.port != member.port:
            what_to_do = "give each a name of its own in ~/.ssh/config"
            raise UsageError(f"{name} is listed with ports {known.port} and {member.port}; {what_to_do}")
        if member.becomes_root or member.become_problem:
            members[name] = member


def _check_brackets(text: str) -> None:
    """Raise UsageError for brackets without an end: patterns would search for it from each of them."""
    is_open = False
    for bracket in BRACKET.findall(text):
        if (bracket == "[") == is_open:
            raise UsageError(f"cannot understand the targets {text[:SHOWN_MAX]!r}: unbalanced brackets")
        is_open = not is_open
    if is_open:
        raise UsageError(f"cannot understand the targets {text[:SHOWN_MAX]!r}: unbalanced brackets")


def _check_size(text: str) -> None:
    """Raise UsageError for ranges that stand for more names than there is memory for."""
    for word in WORD.findall(text):
        names = 1
        for bracket in RANGES.findall(word):
            names *= sum(map(_range_size, bracket[1:-1].split(",")))
        if names > NAMES_MAX:
            raise UsageError(f"{word[:SHOWN_MAX]} stands for more than {NAMES_MAX} targets")


def _range_size(text: str) -> int:
    found = RANGE.match(text)
    if found is None:
        return 1
    first, last, low, high = found.groups()
    if first and max(len(first), len(last)) > DIGITS_MAX:
        return NAMES_MAX + 1  # there is no host with such a number
    return max(0, int(last) - int(first) + 1 if first else ord(high) - ord(low) + 1)


def _resolved(text: str, listed: list[Member]) -> str:
    """Return TARGETS as a comma-separated list: read a file or stdin, and replace inventory groups by their members.

    listed: gets these members.
    """
    if text == STDIN:
        return _joined(read_inventory("stdin", _read(STDIN)), ALL, listed)
    resolved = GROUP.sub(partial(_resolved_group, listed), text)
    is_path = os.path.isfile(text) or "/" in RANGES.sub("", text)
    if resolved == text and (is_path or ("," not in text and text.endswith((*INVENTORY_ENDINGS, *LIST_ENDINGS)))):
        return _joined(read_inventory(text, _read(text)), ALL, listed)
    return resolved


def _resolved_group(listed: list[Member], found: re.Match[str]) -> str:
    """Return an inventory group as a list. Leave other groups, such as ClusterShell's, unchanged."""
    reference = _split_reference(found[0].removeprefix("@"))
    if reference is None:
        return found[0]
    path, group = reference
    return _joined(read_inventory(path, _read(path)), group or ALL, listed)


def _split_reference(word: str) -> tuple[str, str] | None:
    """Split PATH:GROUP or PATH into path and group. Return None if it names no file, as for ClusterShell's groups."""
    path, _, group = word.rpartition(":")
    if path and _is_path(path):
        return path, group
    return (word, ALL) if _is_path(word) else None


def _is_path(name: str) -> bool:
    """Return whether this is a file, or looks like the path of one, which is then missing."""
    return name.endswith(INVENTORY_ENDINGS) or "/" in RANGES.sub("", name) or os.path.isfile(name)


def _joined(inventory: Inventory, group: str, listed: list[Member]) -> str:
    """Return the members of a group as a comma-separated list, and add them to `listed`."""
    members = inventory.members(group)
    listed += members
    return ",".join(member.name for member in members)


def _read(path: str) -> str:
    """Return the text of a file, or of stdin. Raise UsageError."""
    try:
        if path == STDIN:
            return _decoded(sys.stdin.buffer)
        with open_named(path) as file:
            return _decoded(file)
    except OSError as error:
        if PLACED.match(path):
            raise UsageError(f"{path}: give the path with -t, and the names of hosts alone with -m") from error
        where = "targets from stdin" if path == STDIN else f"targets file {path}"
        hint = "; a file is read alone, and several -m add up" if "," in path else ""
        raise UsageError(f"cannot read the {where}: {error.strerror}{hint}") from error


def _decoded(file: BinaryIO) -> str:
    content = read_bounded(file)
    if content.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):  # as PowerShell writes files
        text = content.decode("utf-16", "replace")
    else:
        text = content.decode("utf-8-sig", "surrogateescape")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _expand_letters(text: str) -> str:
    """Expand ranges of letters, which NodeSet does not know: web-[a,b] -> web-a,web-b."""
    if not LETTERS.search(text):
        return text
    if re.search(r"[!&^]", text):
        raise UsageError(f"letters in brackets cannot be combined with !, & or ^ in {text!r}")
    parts = [part for part in WORD.findall(text) if part.strip()]
    return ",".join(name for part in parts for name in _spelled(part.strip()))


def _spelled(name: str) -> list[str]:
    found = LETTERS.search(name)
    if found is None:
        return [name]
    choices: list[str] = []
    for choice in found[1].split(","):
        first, dash, last = choice.partition("-")
        is_range = dash and len(first) == len(last) == 1
        choices += map(chr, range(ord(first), ord(last) + 1)) if is_range else [choice]
    return [each for part in choices for each in _spelled(name[: found.start()] + part + name[found.end() :])]


def _expand(text: str) -> list[str]:
    if not NODESET_SYNTAX.search(text):
        return [name for part in text.split(",") if (name := part.strip())]
    from ClusterShell.NodeSet import NodeSet, NodeSetException
    from ClusterShell.NodeUtils import GroupResolverError, GroupResolverSourceError, GroupSourceError

    try:
        for group in GROUP.findall(text):
            if not NodeSet(group):  # NodeSet treats an unknown group as empty
                raise UsageError(f"unknown or empty group {group}{_hint(group)}")
        return [str(name) for name in NodeSet(text)]
    except GroupResolverSourceError as error:
        raise UsageError(f"{text[:SHOWN_MAX]}: {_why_no_source(str(error)[:SHOWN_MAX])}") from error
    except (NodeSetException, GroupResolverError, GroupSourceError) as error:
        raise UsageError(f"cannot understand the targets {text[:SHOWN_MAX]!r}: {str(error)[:SHOWN_MAX]}") from error


def _why_no_source(source: str) -> str:
    """Return what is wrong with a group source that does not exist."""
    from ClusterShell.NodeSet import std_group_resolver

    known = std_group_resolver().sources()
    if not known:
        return "no groups are defined on this host; docs/cli.md says how to define groups"
    hint = did_you_mean(source, known, before="@", after=":") or "; docs/cli.md says how to define groups"
    return f"there is no group source {source} here{hint}"


def _hint(group: str) -> str:
    """Return "; did you mean @GROUP?" for the most similar other group of the same source, else where to read on."""
    from ClusterShell.NodeSet import grouplist
    from ClusterShell.NodeUtils import GroupResolverError, GroupSourceError

    try:
        source, colon, name = group[1:].rpartition(":")
        known = [other for other in grouplist(source or None) if other != name]
    except (GroupResolverError, GroupSourceError):  # this group source cannot list its groups
        return ""
    return did_you_mean(name, known, before=f"@{source}{colon}") or "; docs/cli.md says how to define groups"


def is_address(host: str) -> bool:
    """Return whether this is an IPv4 or IPv6 address, possibly with a zone."""
    try:
        socket.inet_pton(socket.AF_INET6 if ":" in host else socket.AF_INET, host.partition("%")[0])
    except OSError:
        return False
    return True


def _is_own_address(address: str) -> bool:
    """Return whether this host has the address: only then can it be bound."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True
