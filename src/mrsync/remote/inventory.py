"""Read files that list targets: Ansible inventories (INI or YAML), plain lists as their simplest case, and reports."""

from __future__ import annotations

import json
import math
import re
import shlex
from collections.abc import Iterator
from itertools import product
from typing import Any

from mrsync.errors import UsageError
from mrsync.tuples import NamedTuple

ALL = "all"
FAILED = "failed"  # of a report: the targets that are not complete, not fit, or not equal
PORT_MAX, PORT_DIGITS = 65535, 5
SHOWN_MAX = 80
LINE_LENGTH_MAX = 1 << 16  # shlex takes time by its square
YES = frozenset(("yes", "on", "true", "t", "y", "1", "1.0"))  # as Ansible reads them; upper or lower case
NO = frozenset(("", "no", "off", "false", "f", "n", "0", "0.0", "none"))
NAMES_MAX = 1 << 16  # that a name with ranges may stand for; a session takes fewer
GROUPS_MAX = 1 << 12  # with groups within groups, each of which counts as often as it is reached
_RANGE = re.compile(r"\[(\w{1,9}):(\w{1,9})(?::(\d{1,9}))?\]", re.ASCII)  # web[01:50], db[a:f], [1:9:2]
_SECTION = re.compile(r"\[([^\]\[:]+)(?::(children|vars|hosts))?\]")  # not [fd00::7]
_YAML_NAMES = (".yml", ".yaml", ".json")  # what is JSON is YAML, too
_ADDRESS = r"(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f]*:[0-9A-Fa-f:.]+(?:%\w+)?)"
_NAMED = re.compile(rf"{_ADDRESS}\s+(?!{_ADDRESS}(?:\s|$))[^\s=]+(?:\s|$)")  # as in /etc/hosts
_HOST_KEY = re.compile(r"(?:@\S+\s+)?\S+\s+\S+\s+AAAA")
_SSH_SETTING = re.compile(r"\w+\s+\S")
_SSH_KEYWORD = re.compile(r"(?:hostname|user|port|identityfile|proxyjump)\s+\S", re.IGNORECASE)
_META = "_meta"  # no group: in what `ansible-inventory --list` prints, it has the variables of all hosts


class Member(NamedTuple):
    """A host of an inventory as a remote shell knows it.

    name: HOST or USER@HOST. port: of its remote shell, 0 for the default one. becomes_root: whether ansible_become asks
    for root by sudo. become_problem: why that is impossible; empty if it is possible.
    """

    name: str
    port: int = 0
    becomes_root: bool = False
    become_problem: str = ""


class Group:
    """A group: its hosts with their variables, the names of its child groups, and variables of all its hosts."""

    def __init__(self) -> None:
        self.hosts: dict[str, dict[str, str]] = {}
        self.children: list[str] = []
        self.variables: dict[str, str] = {}

    def add(self, host: str, variables: dict[str, str]) -> None:
        """Add a host, or variables to one. Raise UsageError if there are more than NAMES_MAX hosts."""
        self.hosts.setdefault(host, {}).update(variables)
        if len(self.hosts) > NAMES_MAX:
            raise UsageError(f"a group has more than {NAMES_MAX} hosts, among them {host}")


class Inventory:
    """The groups of one file. Hosts without a group are in `all`."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._left = GROUPS_MAX
        self.groups: dict[str, Group] = {ALL: Group()}

    def group(self, name: str) -> Group:
        """Return the group with this name; create it if it does not exist."""
        return self.groups.setdefault(name, Group())

    def count_group(self) -> None:
        """Count a group that is read or listed. Raise UsageError after GROUPS_MAX of them: links multiply them."""
        self._left -= 1
        if self._left < 0:
            raise UsageError(f"the groups in {self._path} contain one another too often")

    def members(self, name: str = ALL) -> list[Member]:
        """Return the members of a group and its child groups.

        Raise UsageError for an unknown group, a group that contains itself, or an invalid port.
        """
        if name not in self.groups:
            known = ", ".join(sorted(self.groups))
            raise UsageError(f"there is no group {name} in {self._path}; there are {known}")
        names = list(self.groups) if name == ALL else [name]
        found: dict[str, dict[str, str]] = {}
        for each in names:
            self._left = GROUPS_MAX
            try:
                for host, variables in self._members(each, {}, ()):
                    found.setdefault(host, {}).update(variables)
            except RecursionError as error:
                raise UsageError(f"the groups in {self._path} contain one another too deeply") from error
        return [self._member(host, variables) for host, variables in found.items()]

    def _members(
        self, name: str, inherited: dict[str, str], above: tuple[str, ...]
    ) -> Iterator[tuple[str, dict[str, str]]]:
        if name in above:
            raise UsageError(f"the group {name} in {self._path} contains itself")
        self.count_group()
        group = self.group(name)
        variables = {**self.groups[ALL].variables, **inherited, **group.variables}
        for host, own in group.hosts.items():
            yield host, {**variables, **own}
        for child in group.children:
            yield from self._members(child, variables, (*above, name))

    def _member(self, host: str, variables: dict[str, str]) -> Member:
        def value(name: str) -> str:
            return variables.get(f"ansible_{name}") or variables.get(f"ansible_ssh_{name}") or ""

        port = value("port")
        if port and not (port.isascii() and port.isdigit() and len(port) <= PORT_DIGITS and 0 < int(port) <= PORT_MAX):
            raise UsageError(f"{self._path}: ansible_port of {host} is {port[:SHOWN_MAX]!r}, which is not a port")
        user = value("user")
        name = f"{user}@{value('host') or host}" if user else value("host") or host
        problem = _become_problem(host, variables)
        becomes_root = not problem and variables.get("ansible_become", "").lower() in YES
        return Member(name, int(port or 0), becomes_root, problem and f"{self._path}: {problem}")


def read_inventory(path: str, text: str) -> Inventory:
    """Parse the text of an inventory: INI, YAML by the name of its path, or JSON. Raise UsageError."""
    if what := _other_file(text):
        raise UsageError(f"{path} {what}: a file of targets has one name in each line")
    is_table = path.endswith(_YAML_NAMES) or text.lstrip().startswith("{")  # JSON, perhaps from stdin
    return _read_yaml(path, text) if is_table else _read_lines(path, text)


def _other_file(text: str) -> str:
    """Return what a well-known file that is no list of targets has, or "". All its lines must look so."""
    lines = [stripped for line in text.splitlines() if (stripped := line.partition("#")[0].strip())]
    if lines and all(map(_NAMED.match, lines)):
        return "has addresses with their names"
    if lines and all(map(_HOST_KEY.match, lines)):
        return "has ssh's host keys"
    if all(map(_SSH_SETTING.match, lines)) and any(map(_SSH_KEYWORD.match, lines)):
        return "has settings of ssh"
    return ""


def _become_problem(host: str, variables: dict[str, str]) -> str:
    """Return why a host cannot get what ansible_become asks for, or ""."""
    become = variables.get("ansible_become", "")
    if become.lower() in NO:
        return ""
    if become.lower() not in YES:
        return f"ansible_become of {host} is {become!r}, neither yes nor no"
    for key, wanted in (("ansible_become_user", "root"), ("ansible_become_method", "sudo")):
        if variables.get(key, wanted) not in (wanted, f"ansible.builtin.{wanted}"):
            return f"{key} of {host} is {variables[key]!r}; only sudo to root can be had"
    return ""


# lines


def _read_lines(path: str, text: str) -> Inventory:
    inventory = Inventory(path)
    group, kind = inventory.group(ALL), "hosts"
    has_sections = False
    for number, raw in enumerate(text.lstrip("\ufeff").splitlines(), 1):
        line = raw.strip()
        if not line or line[0] in "#;":
            continue
        if section := _SECTION.fullmatch(line.partition("#")[0].strip()):
            group, kind = inventory.group(section[1]), section[2] or "hosts"
            has_sections = True
            continue
        if len(line) > LINE_LENGTH_MAX:
            raise UsageError(f"{path}, line {number} has more than {LINE_LENGTH_MAX} characters")
        try:
            words = shlex.split(line, comments=True)
        except ValueError as error:
            raise UsageError(f"{path}, line {number}: {error}") from error
        if kind == "children":
            group.children += words
        elif kind == "vars":
            key, _, value = line.partition("=")
            group.variables[key.strip()] = value.strip().strip("'\"")
        else:
            _add_hosts(group, words, expands=has_sections)
    return inventory


def _add_hosts(group: Group, words: list[str], *, expands: bool) -> None:
    """Add hosts with their variables from the words of one line.

    expands: expand ranges by Ansible's rules. Otherwise names keep their brackets, which are expanded as node sets
    later.
    """
    variables = dict(word.split("=", 1) for word in words if "=" in word)
    for name in (word for word in words if "=" not in word):
        for host in _expand(name) if expands else filter(None, [name.strip(",")]):
            group.add(host, variables)


def _expand(name: str) -> Iterator[str]:
    """Expand Ansible's ranges: web[01:03] -> web01, web02, web03. Raise UsageError for more than NAMES_MAX names."""
    ranges = list(_RANGE.finditer(name))
    choices = [_numbers(*found.groups()) for found in ranges]
    if math.prod(map(len, choices)) > NAMES_MAX:
        raise UsageError(f"{name} stands for more than {NAMES_MAX} hosts")
    bounds = [0, *(at for found in ranges for at in found.span()), len(name)]
    plain = [name[at:end] for at, end in zip(bounds[::2], bounds[1::2], strict=True)]
    for parts in product(*map(_texts_of, ranges, choices)):
        yield "".join(piece for pair in zip(plain, (*parts, ""), strict=True) for piece in pair)


def _numbers(first: str, last: str, step: str | None) -> range:
    """Return the numbers of a range, or the codes of its letters. Raise UsageError if it stands for no host."""
    if first.isdigit() and last.isdigit():
        numbers = range(int(first), int(last) + 1, int(step or 1) or 1)
    elif len(first) == len(last) == 1:
        numbers = range(ord(first), ord(last) + 1, int(step or 1) or 1)
    else:
        numbers = range(0)
    if not numbers:
        raise UsageError(f"[{first}:{last}] is no range: write two numbers or two letters, the lower one first")
    return numbers


def _texts_of(found: re.Match[str], numbers: range) -> list[str]:
    first, last = found[1], found[2]
    if first.isdigit() and last.isdigit():
        return [str(number).zfill(len(first)) for number in numbers]
    return [chr(code) for code in numbers]


# YAML and JSON


def _read_yaml(path: str, text: str) -> Inventory:
    if text.lstrip().startswith("{") and (report := _report_in(text)) is not None:
        return _read_report(path, report)
    try:
        import yaml  # type: ignore[import-untyped]  # ClusterShell brings it
    except ImportError as error:
        raise UsageError(f"the inventory {path} needs the Python package PyYAML on this host") from error
    try:
        return _read_table(path, yaml.safe_load(text))
    except (yaml.YAMLError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise UsageError(f"cannot understand the inventory {path}: {reason}") from error
    except (ValueError, LookupError, AttributeError, TypeError, ArithmeticError) as error:  # PyYAML lets them through
        reason = f"a value does not fit its form or its tag ({error})"
        raise UsageError(f"cannot understand the inventory {path}: {reason}") from error


def _read_table(path: str, table: Any) -> Inventory:
    inventory = Inventory(path)
    if not isinstance(table, dict):
        raise UsageError(f"the inventory {path} has no groups")
    for name, content in table.items():
        if name != _META:
            _add_group(inventory, str(name), content, path)
    variables = _table(table.get(_META), "hostvars", path)
    for group in inventory.groups.values():
        for host in group.hosts.keys() & variables.keys():
            group.add(host, _texts(variables[host]))
    return inventory


def _report_in(text: str) -> dict[str, Any] | None:
    """Return the targets of a JSON report of mrsync, or None if the text is none."""
    try:
        table = json.loads(text)
    except (ValueError, RecursionError):
        return None
    targets = table.get("targets")
    is_report = (
        "exit_status" in table and isinstance(targets, dict) and all(isinstance(x, dict) for x in targets.values())
    )
    return targets if is_report else None


def _read_report(path: str, targets: dict[str, Any]) -> Inventory:
    """Return all targets of a report, those that failed, and those in each state."""
    inventory = Inventory(path)
    inventory.group(FAILED)
    for host, fields in targets.items():
        state = str(fields.get("state", ""))
        is_good = state == "done" or fields.get("is_fit") is True or fields.get("is_equal") is True
        for name in filter(None, (ALL, state, "" if is_good else FAILED)):
            inventory.group(name).add(host, {})
    return inventory


def _add_group(inventory: Inventory, name: str, content: Any, path: str) -> None:
    """Add a group and its child groups. Raise UsageError if `content` is not a valid group."""
    inventory.count_group()
    group = inventory.group(name)
    content = {"hosts": content} if isinstance(content, list) else content  # as old inventory programs write it
    for host, variables in _table(content, "hosts", path).items():
        for each in _expand(str(host)):
            group.add(each, _texts(variables))
    group.variables.update(_texts(_table(content, "vars", path)))
    for child, inner in _table(content, "children", path).items():
        if name != ALL:  # `all` implicitly contains every group
            group.children.append(str(child))
        _add_group(inventory, str(child), inner, path)


def _table(content: Any, key: str, path: str) -> dict[Any, Any]:
    """Return the mapping under `key`, empty if there is none.

    Raise UsageError if it is neither a mapping nor a list.
    """
    value = content.get(key) if isinstance(content, dict) else None
    if value is None and (content is None or isinstance(content, dict)):
        return {}
    if isinstance(value, list) and not any(isinstance(each, (dict, list, set)) for each in value):
        return dict.fromkeys(value)
    if not isinstance(value, dict):
        raise UsageError(f"cannot understand the inventory {path}: {key} is not a table")
    return value


def _texts(variables: Any) -> dict[str, str]:
    """Return the variables that are not lists or tables, as links among those may multiply them without end."""
    if not isinstance(variables, dict):
        return {}
    return {str(key): str(value) for key, value in variables.items() if not isinstance(value, (dict, list, set, tuple))}
