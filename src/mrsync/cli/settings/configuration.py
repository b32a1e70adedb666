"""Read settings from TOML files. Keys are the long names of mrsync's options. The command line overrides them."""

from __future__ import annotations

import argparse
import os
import re
import stat
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from mrsync.cli.registry.declared.output import SYSTEM_FILE
from mrsync.cli.registry.parser import InOrder, Parser
from mrsync.errors import UsageError
from mrsync.spelling import did_you_mean

BYTES_MAX = 1 << 20
DEFAULT = "default"  # where a setting comes from that is not given
DOTS_MAX = 256  # in a line outside of quotation marks; no setting has any
# A quotation without an end is matched, too: the pattern would look for its end from each mark in it.
_QUOTED = re.compile(rb"\"(?:[^\"\\]|\\.)*(?:\"|(\\?$))|'[^']*'")
NOT_FOR_FILES = {"help", "version", "config", "targets", "source", "dest"}  # different for every run


def parse_configured(
    parser: Parser,
    arguments: Sequence[str],
    *,
    settings_parser: Parser | None = None,
    passed_over: Container[str] = (),
    reads_defaults: bool = True,
) -> tuple[argparse.Namespace, tuple[str, ...]]:
    """Return the options from the command line and the settings files, and the paths of the files that were read.

    Later ones override earlier ones: the system's file, the user's, --config FILE, the command line. Lists are joined
    in this order. settings_parser: for the files, if it is another one. passed_over: keys to ignore, because they
    belong to other programs. reads_defaults: also read the system's and the user's file. If there are files, the
    attribute `typed` has the options from the command line alone. Raise UsageError with file and key.
    """
    given = parser.parse_args(arguments)
    paths = [SYSTEM_FILE, user_file()] if reads_defaults else []
    paths += [given.config] if given.config else []
    read = {path: _read(path, must_exist=path == given.config) for path in dict.fromkeys(paths)}
    texts = {path: text for path, text in read.items() if text is not None}
    if not texts:
        return given, ()
    settings = argparse.Namespace()
    for path, text in texts.items():
        _apply(settings_parser or parser, path, text, settings, passed_over)
    _withdraw_contradicted(parser, given, settings)
    settings.typed = given
    return parser.parse_args(arguments, settings), tuple(texts)


def origins(parser: Parser, arguments: Sequence[str]) -> dict[str, str]:
    """Return where each setting comes from, by long name: a file, "command line" or "default". Raise UsageError.

    Read the same files as `parse_configured`, and check them in the same way. If two options set the same thing, as
    rate and bwlimit do, only the last one given does not have its default.
    """
    import tomllib

    _, paths = parse_configured(parser, arguments)
    actions = _actions(parser)
    given: list[tuple[str, str]] = []
    for path in paths:
        given += [(key, path) for key in tomllib.loads((_read(path, must_exist=True) or b"").decode())]
    given += [(key, "command line") for key in _keys_of(parser, arguments)]
    last = {actions[key].dest: (key, place) for key, place in given if key in actions}
    found = dict.fromkeys(sorted(names_of_settings(parser)), DEFAULT)
    return found | {key: place for key, place in last.values() if key in found}


def _keys_of(parser: Parser, arguments: Sequence[str]) -> Iterator[str]:
    """Yield the long names of the options on a command line."""
    names = {action: key for key, action in _actions(parser).items()}
    for word in parser.sort_out(arguments).options:
        name = word.partition("=")[0]
        key = names.get(parser._option_string_actions[name])
        if key is not None:
            yield name[2:] if name[2:] in names.values() else key


def value_of(parser: Parser, options: argparse.Namespace, key: str) -> Any:
    """Return the value of a setting in parsed options, as a settings file would have it. key: its long name."""
    action = _actions(parser)[key]
    if isinstance(action, InOrder):
        values = [value for name, value in options.rule_options if name == action.option_strings[-1]]
        return bool(values) if action.nargs == 0 else values
    value = getattr(options, action.dest)
    return value == action.const if isinstance(action, argparse._StoreConstAction) else value


def user_file() -> str:
    """Return the path of the user's settings file, which need not exist."""
    home = os.environ.get("XDG_CONFIG_HOME", "")
    return os.path.join(home if os.path.isabs(home) else os.path.expanduser("~/.config"), "mrsync", "config.toml")


def _read(path: str, *, must_exist: bool) -> bytes | None:
    """Return the contents of a file, or None if it does not exist. Raise UsageError if others may write to it."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except (FileNotFoundError, NotADirectoryError) as error:
        if must_exist:
            raise UsageError(f"{path}: there is no such file (--config)") from error
        return None
    except OSError as error:
        if not must_exist and not os.path.lexists(path):
            return None  # in a directory that this user may not enter, such as another user's home
        raise UsageError(f"cannot read the settings in {path}: {error.strerror}") from error
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode):
        os.close(fd)
        raise UsageError(f"{path} is not a regular file with settings")
    with open(fd, "rb") as file:
        if status.st_uid not in (0, os.geteuid()) or status.st_mode & 0o022:
            raise UsageError(f"{path} is not trusted: others may write to it; it must be yours or root's, mode 644")
        text = file.read(BYTES_MAX + 1)
    if len(text) > BYTES_MAX:
        raise UsageError(f"{path} is too large: a settings file has at most {BYTES_MAX >> 20} MiB")
    return text


def names_of_settings(parser: Parser) -> set[str]:
    """Return the long names of options that may be set in a file."""
    return _actions(parser).keys() - NOT_FOR_FILES


def _apply(parser: Parser, path: str, text: bytes, settings: argparse.Namespace, passed_over: Container[str]) -> None:
    """Apply the settings of a file on top of earlier ones."""
    import tomllib  # rarely needed

    try:
        _check_depth(path, text)
        table = tomllib.loads(text.decode())
    except (ValueError, RecursionError) as error:  # numbers of thousands of digits, and lists in lists
        raise UsageError(f"{path} is not valid TOML: {error}") from error
    actions = _actions(parser)
    for key, value in table.items():
        if key in passed_over:
            continue
        action = actions.get(key) if key not in NOT_FOR_FILES else None
        if action is None:
            question = did_you_mean(key, actions.keys() - NOT_FOR_FILES, before="'", after="'")
            raise UsageError(f"{path}: there is no setting {key!r}{question}")
        try:
            words = list(_words(key, value, action, parser))
            with _nothing_required(parser):
                parser.parse_args(words, settings)
            if value is False and not words:
                _withdraw(action, settings)  # what an earlier file says
        except UsageError as error:
            reason = re.sub(r"^argument \S+ | \(see .*\)$", "", str(error))
            raise UsageError(f"{path}: {key}: {reason}") from error


@contextmanager
def _nothing_required(parser: Parser) -> Iterator[None]:
    """Let a parser take one setting. What the program requires may be on the command line."""
    everything: list[argparse.Action | argparse._MutuallyExclusiveGroup] = [
        *parser._actions,
        *parser._mutually_exclusive_groups,
    ]
    required = [each for each in everything if each.required]
    for each in required:
        each.required = False
    try:
        yield
    finally:
        for each in required:
            each.required = True


def _check_depth(path: str, text: bytes) -> None:
    """Raise UsageError for a line with a key of very many parts. tomllib takes time by the square of their number."""
    for number, line in enumerate(text.splitlines(), 1):
        unquoted = _QUOTED.sub(lambda found: b"" if found[1] is None else found[0], line)
        if unquoted.partition(b"#")[0].count(b".") > DOTS_MAX:
            raise UsageError(f"{path}: line {number} has a key of more than {DOTS_MAX} parts")


def option_words(parser: Parser, settings: Mapping[str, Any]) -> list[str]:
    """Return settings as words of a command line. settings: values by long name. Raise UsageError with the name."""
    actions = _actions(parser)
    words: list[str] = []
    for key, value in settings.items():
        if key not in actions:
            question = did_you_mean(key, actions, before="'", after="'")
            raise UsageError(f"there is no option {key!r}{question}")
        try:
            words += _words(key, value, actions[key], parser)
        except UsageError as error:
            raise UsageError(f"{key}: {error}") from error
    return words


def is_switch(parser: Parser, name: str) -> bool:
    """Return whether there is an option --NAME that can be turned off by --no-NAME."""
    action = _actions(parser).get(name)
    return action is not None and _is_switch(action)


def _actions(parser: Parser) -> dict[str, argparse.Action]:
    return {
        name[2:]: action
        for action in parser._actions
        for name in action.option_strings
        if name.startswith("--") and not (_is_switch(action) and name.startswith("--no-"))
    }


def _words(key: str, value: Any, action: argparse.Action, parser: Parser) -> Iterator[str]:
    """Yield a setting as it would be written on the command line; nothing for one that is false and has no opposite."""
    is_bool = isinstance(value, bool)
    if action.nargs == 0 and not is_bool:
        raise UsageError("it must be true or false")
    if action.nargs == 0 or (action.nargs == "?" and is_bool):  # "?": as --sudo, with or without a value
        if value:
            yield f"--{key}"
        elif f"--no-{key}" in parser._option_string_actions:
            yield f"--no-{key}"
        return
    is_list = isinstance(value, list) and not isinstance(action, argparse._StoreAction)
    for each in value if is_list else [value]:
        is_number = isinstance(each, int | float) and not isinstance(each, bool) and action.type is not None
        if not isinstance(each, str) and not is_number:
            raise UsageError("it must be a string" if action.type is None else "it must be a string or a number")
        yield f"--{key}={each}"


def _is_switch(action: argparse.Action) -> bool:
    return isinstance(action, argparse.BooleanOptionalAction)


def _withdraw(action: argparse.Action, settings: argparse.Namespace) -> None:
    """Remove a flag from the settings."""
    if isinstance(action, InOrder):
        settings.rule_options = [each for each in settings.rule_options if each[0] != action.option_strings[-1]]
    elif action.const in (None, getattr(settings, action.dest, None)):  # None: one that counts
        setattr(settings, action.dest, action.default)


def _withdraw_contradicted(parser: Parser, given: argparse.Namespace, settings: argparse.Namespace) -> None:
    """Remove settings from files that conflict with an option on the command line."""
    for group in parser._mutually_exclusive_groups:
        members = [action for action in group._group_actions if action.dest != argparse.SUPPRESS]
        changed = {action.dest for action in members if getattr(given, action.dest) != action.default}
        for action in members if changed else ():
            if action.dest not in changed:
                setattr(settings, action.dest, action.default)
