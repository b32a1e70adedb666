"""Make completions for bash, zsh and fish from the options, for `mrsync completion SHELL`.

Targets are completed with the hosts that the shell knows, and with the groups that ClusterShell's nodeset lists.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from mrsync.cli.registry.option import COUNT, FOLDER, HOSTS, INTERFACE, LIST, MRSYNC, ORDERED, PATH, Option
from mrsync.cli.registry.options import OPTIONS, PROGRAMS, options_of

COMMANDS: Mapping[str, str] = {  # commands of mrsync -> the program with their options; empty: none
    "rtt": "rtt",
    "doctor": "mrsync doctor",
    "verify": "mrsync verify",
    "filelist": "trFilelist",
    "report": "mrsync report",
    "multicaster": "multicaster",
    "multicatcher": "multicatcher",
    "rttcatcher": "rttcatcher",
    "demo": "",
    "help": "",
    "completion": "",
    "config": "",
}
_WORDS_ONLY = ("mrsync help", "mrsync completion")  # which take no files
INSTALLED = tuple(program for program in PROGRAMS if " " not in program)
EVERY = ("--help", "--version")
_BASH_VALUES = {
    PATH: 'compgen -f -- "$cur"',
    FOLDER: 'compgen -d -- "$cur"',
    HOSTS: '_mrsync_hosts "$cur"',
    INTERFACE: 'compgen -W "$(ls /sys/class/net)" -- "$cur"',
}
_ZSH_VALUES = {PATH: "_files", FOLDER: "_files -/", HOSTS: "_mrsync_hosts", INTERFACE: "_net_interfaces"}
_FISH_VALUES = {
    PATH: "-r -F",
    FOLDER: "-x -a '(__fish_complete_directories)'",
    HOSTS: "-x -a '(__mrsync_hosts)'",
    INTERFACE: "-x -a '(command ls /sys/class/net)'",
}


def completion(shell: str) -> str:
    """Return the completions for a shell, one of SHELLS."""
    return "".join(f"{line}\n" for line in SHELLS[shell]())


def _bash() -> Iterator[str]:
    yield "# bash completion of mrsync and its programs"
    yield "_mrsync_hosts() {  # TARGETS are a list: the word behind the last comma counts"
    yield '  local behind=${1##*,} before=""'
    yield "  [[ $1 == *,* ]] && before=${1%,*},"
    yield '  { compgen -A hostname -- "$behind"; compgen -W "$(nodeset --list 2>/dev/null)" -- "$behind"; } |'
    yield '    while read -r host; do echo "$before$host"; done'
    yield "}"
    yield "_mrsync_complete() {"
    yield "  local line=${COMP_LINE:0:COMP_POINT} program=${COMP_WORDS[0]##*/} found"
    yield "  local cur=${line##*[[:space:]]}"
    yield '  local prev=${line%"$cur"}'
    yield '  prev=${prev%"${prev##*[![:space:]]}"} prev=${prev##*[[:space:]]}'
    yield f'  [[ $program == mrsync && " {" ".join(COMMANDS)} " == *" ${{COMP_WORDS[1]}} "* && $COMP_CWORD -gt 1 ]] &&'
    yield '    program="mrsync ${COMP_WORDS[1]}"'
    yield '  found=$(_mrsync_words "$program" "$prev" "$cur")'
    yield '  mapfile -t COMPREPLY <<<"$found"'
    yield "  [[ -n $found ]] || COMPREPLY=()"
    yield '  local broken=${cur%"${cur##*[@:=]}"}  # what bash takes for words of their own'
    yield '  COMPREPLY=("${COMPREPLY[@]#"$broken"}")'
    yield "  [[ $found != *@* ]] || compopt -o nospace  # a list of groups may go on"
    yield "}"
    yield "_mrsync_words() {"
    yield "  local cur=$3"
    yield '  case "$1 $2" in'
    for called, program in _called():
        for option in options_of(program) if program else ():
            if option.takes_value and option.alone is None:
                names = " | ".join(f'"{called} {name}"' for name in option.all_names(program))
                yield f"  {names}) {_bash_value(option)}; return ;;"
    yield "  esac"
    yield "  case $1 in"
    for called, program in _called():
        words = " ".join([*_words_of(called), *EVERY, *_names(program)])
        yield f'  "{called}") compgen -W "{words}" -- "$cur"{_bash_operands(called)} ;;'
    yield "  esac"
    yield "}"
    yield f"complete -o filenames -o nosort -F _mrsync_complete {' '.join(INSTALLED)}"


def _bash_operands(called: str) -> str:
    """Return the command for words that are no options: files, and hosts for the last word of SOURCE TARGETS:DEST."""
    if called in _WORDS_ONLY:
        return ""
    files = '; [[ $cur == -* ]] || compgen -f -- "$cur"'
    hosts = '; [[ -z $cur || $cur == -* || $2 == *mrsync ]] || _mrsync_hosts "$cur"'
    return files + (hosts if called == MRSYNC else "")


def _bash_value(option: Option) -> str:
    if option.choices:
        return f'compgen -W "{" ".join(option.choices)}" -- "$cur"'
    return _BASH_VALUES.get(option.completes, ":")


def _zsh() -> Iterator[str]:
    yield f"#compdef {' '.join(INSTALLED)}"
    yield "# zsh completion of mrsync and its programs"
    yield '_mrsync_groups() { compadd -S "" -- ${(f)"$(nodeset --list 2>/dev/null)"} }'
    yield "_mrsync_hosts() {"
    yield "  compset -P '*,'"
    yield "  _alternative 'hosts:host:_hosts' 'groups:group:_mrsync_groups' 'files:file:_files'"
    yield "}"
    yield f"local program=$service; local -a commands=({' '.join(COMMANDS)})"
    yield "if [[ $service == mrsync ]] && (( CURRENT > 2 && ${commands[(Ie)$words[2]]} )); then"
    yield '  program="mrsync $words[2]"'
    yield "  (( CURRENT-- )); shift words"
    yield "fi"
    yield "case $program in"
    for called, program in _called():
        yield f'"{called}")'
        specs = [spec for option in (options_of(program) if program else ()) for spec in _zsh_specs(option, program)]
        words = f"commands\\:command\\:({' '.join(COMMANDS)})"
        first = f'\'1:command or SOURCE:_alternative "{words}" "files\\:source\\:_files"\''
        yield "  _arguments -s \\"
        yield "    '(- *)'{-h,--help}'[the common options; all: every option]' '(- *)--version[the version]' \\"
        yield from (f"    {spec} \\" for spec in specs)
        if called in _WORDS_ONLY:
            yield f"    '*:word:({' '.join(_words_of(called))})'"
        else:
            yield f"    {first} '*:file:_files'" if called == MRSYNC else "    '*:file:_files'"
        yield "  ;;"
    yield "esac"


def _zsh_specs(option: Option, program: str) -> Iterator[str]:
    again = "*" if option.how in (COUNT, LIST, ORDERED) else ""
    text = re.sub(r"([][:])", r"\\\1", option.help).replace("'", "'\\''")
    action = f"({' '.join(option.choices)})" if option.choices else _ZSH_VALUES.get(option.completes, " ")
    for name in option.all_names(program):
        value = f":{option.value()}:{action}" if option.takes_value else ""
        form = name + ("=" if value and name.startswith("--") else "+" if value else "")
        if option.alone is not None:  # =-: only in the same word; ::: may be left out
            value, form = f":{value}", f"{form}-"
        yield f"'{again}{form}[{text}]{value}'"


def _fish() -> Iterator[str]:
    yield "# fish completion of mrsync and its programs"
    yield "function __mrsync_hosts"
    yield "  set -l before (string replace -r '[^,]*$' '' -- (commandline -ct))"
    yield "  for host in (__fish_print_hostnames) (nodeset --list 2>/dev/null); echo $before$host; end"
    yield "end"
    known = " ".join(COMMANDS)
    for name in COMMANDS:
        yield f"complete -c mrsync -n '__fish_use_subcommand' -a {name}"
    for called in _WORDS_ONLY:
        when = f"__fish_seen_subcommand_from {called.split()[1]}"
        yield f"complete -c mrsync -n '{when}' -f -a '{' '.join(_words_of(called))}'"
    for called, program in _called():
        command, _, own = called.partition(" ")
        when = f" -n '__fish_seen_subcommand_from {own}'" if own else ""
        if called == MRSYNC:
            when = f" -n 'not __fish_seen_subcommand_from {known}'"
        for option in options_of(program) if program else ():
            yield f"complete -c {command}{when} {_fish_words(option, program)}"


def _fish_words(option: Option, program: str) -> str:
    names = [f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in option.all_names(program)]
    text = option.help.replace("\\", "\\\\").replace("'", "\\'")
    value = ""
    if option.takes_value:
        value = (
            f" -x -a '{' '.join(option.choices)}'" if option.choices else f" {_FISH_VALUES.get(option.completes, '-x')}"
        )
    if option.alone is not None:
        value = value.replace(" -x", "")  # which would demand a value
    return f"{' '.join(names)} -d '{text}'{value}"


def _called() -> Iterator[tuple[str, str]]:
    """Yield every way to call a program, with the program; empty if it has no options."""
    yield from ((program, program) for program in INSTALLED)
    yield from ((f"mrsync {command}", program) for command, program in COMMANDS.items())


def _words_of(called: str) -> list[str]:
    """Return the words that may follow a command, other than its options."""
    if called == "mrsync help":
        return list(dict.fromkeys([*COMMANDS, "exit", *(option.key for option in OPTIONS)]))
    if called == "mrsync completion":
        return list(SHELLS)
    return list(COMMANDS) if called == MRSYNC else []


def _names(program: str) -> list[str]:
    return [name for option in options_of(program) for name in option.all_names(program)] if program else []


SHELLS: Mapping[str, Callable[[], Iterator[str]]] = {"bash": _bash, "zsh": _zsh, "fish": _fish}
