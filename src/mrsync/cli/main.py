"""The commands: from arguments to an exit status.

Modules are imported only when a command needs them, and not before `run_command` has ended the search for garbage.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Callable, Sequence
from functools import partial
from types import FrameType

from mrsync.cli.streams import StandardStreams, check_written
from mrsync.errors import ExitStatus, Interrupted, MrsyncError, UsageError, describe_shortage
from mrsync.escaping import escape_controls
from mrsync.run.stop import ENDING, ending_signals


def mrsync() -> int:
    """Entry point of mrsync: sync, or one of the tools."""
    return run_command("mrsync", _mrsync, sys.argv[1:])


def multicaster() -> int:
    """Entry point of multicaster: send to catchers that were started by hand."""
    return run_command("multicaster", _multicaster, sys.argv[1:])


def multicatcher() -> int:
    """Entry point of multicatcher: receive from a multicaster."""
    return run_command("multicatcher", _multicatcher, sys.argv[1:])


def tr_filelist() -> int:
    """Entry point of trFilelist, the name of `mrsync filelist` in 4.0.1."""
    return run_command("trFilelist", lambda arguments: _filelist("trFilelist", arguments), sys.argv[1:])


def rtt() -> int:
    """Entry point of rtt: measure round trips."""
    return run_command("rtt", _rtt, sys.argv[1:])


def rttcatcher() -> int:
    """Entry point of rttcatcher: echo what rtt sends."""
    return run_command("rttcatcher", _rttcatcher, sys.argv[1:])


def run_command(name: str, command: Callable[[Sequence[str]], int], arguments: Sequence[str]) -> int:
    """Run a command and return its exit status. Print a MrsyncError as one sentence, and return its status."""
    gc.disable()  # our few reference cycles live long, and the search takes a tenth of a large scan, or of all imports
    for number in ending_signals():
        signal.signal(number, _interrupt)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # the parent may ignore it, and then no child could be waited for
    sys.unraisablehook = _tell_unraisable
    with StandardStreams(name):
        try:
            return command(arguments)
        except MrsyncError as error:
            print(f"{name}: {escape_controls(str(error))}", file=sys.stderr)
            return error.exit_status
        except (OSError, MemoryError, RuntimeError, ImportError) as error:
            if not (sentence := describe_shortage(error)):
                raise
            print(f"{name}: {sentence}", file=sys.stderr)
            return ExitStatus.START
        finally:
            for number in ENDING:
                signal.signal(number, signal.SIG_IGN)  # the command is over, only the interpreter's shutdown follows
            gc.freeze()  # else that would search all modules for garbage, which takes longer than to end without


def _mrsync(arguments: Sequence[str]) -> int:
    tool = _TOOLS.get(arguments[0]) if arguments else None
    if tool is not None:
        asks_help = tool in (_demo, _completion, _config) and arguments[1:] in (["-h"], ["--help"])
        return _help(arguments[:1]) if asks_help else tool(arguments[1:])
    _refuse_mistyped_tool(arguments)
    return _cast("mrsync", arguments)


def _refuse_mistyped_tool(arguments: Sequence[str]) -> None:
    """Raise UsageError if the first word resembles a tool, is not an existing SOURCE, and no TARGETS:DEST is given."""
    first = arguments[0] if arguments else "-"
    if first.startswith("-") or any(":" in word for word in arguments) or os.path.lexists(first):
        return
    from mrsync.spelling import did_you_mean

    if question := did_you_mean(first, _TOOLS):
        raise UsageError(f"there is no command {first}{question} (see mrsync --help)")


def _demo(arguments: Sequence[str]) -> int:
    from mrsync.run.demo import demo

    if arguments:
        raise UsageError("demo takes no arguments")
    return demo(_mrsync)


def _doctor(arguments: Sequence[str]) -> int:
    from mrsync.cli.doctor import doctor

    return doctor(arguments)


def _verify(arguments: Sequence[str]) -> int:
    from mrsync.cli.verify import verify

    return verify(arguments)


def _config(arguments: Sequence[str]) -> int:
    from mrsync.cli.show_settings import show_settings

    return show_settings(arguments)


def _report(arguments: Sequence[str]) -> int:
    from mrsync.cli.report_page import report_page

    return report_page(arguments)


def _help(arguments: Sequence[str]) -> int:
    from mrsync.cli.topics import help_on

    print(*help_on(arguments), sep="\n")
    check_written()
    return 0


def _completion(arguments: Sequence[str]) -> int:
    from mrsync.cli.registry.completion import SHELLS, completion

    if len(arguments) != 1 or arguments[0] not in SHELLS:
        raise UsageError(f"give the shell: mrsync completion {' | '.join(SHELLS)}")
    print(completion(arguments[0]), end="")
    check_written()
    return 0


def _multicaster(arguments: Sequence[str]) -> int:
    return _cast("multicaster", arguments)


def _multicatcher(arguments: Sequence[str]) -> int:
    if len(arguments) == 2 and arguments[0] == "--launched":
        from mrsync.remote.command import answer
        from mrsync.run.catch.catch import catch_from_stdin

        answer()
        return catch_from_stdin(arguments[1])
    from mrsync.cli.settings.options import parse_multicatcher

    settings = parse_multicatcher(arguments)
    from mrsync.run.catch.catch import catch

    return catch(settings)


def _filelist(name: str, arguments: Sequence[str]) -> int:
    from mrsync.cli.filelist import filelist

    return filelist(name, arguments)


def _rtt(arguments: Sequence[str]) -> int:
    from mrsync.cli.rtt import rtt

    return rtt(arguments)


def _rttcatcher(arguments: Sequence[str]) -> int:
    from mrsync.cli.rtt import rttcatcher

    return rttcatcher(arguments)


_TOOLS: dict[str, Callable[[Sequence[str]], int]] = {
    "demo": _demo,
    "doctor": _doctor,
    "verify": _verify,
    "rtt": _rtt,
    "filelist": partial(_filelist, "mrsync filelist"),
    "multicaster": _multicaster,
    "multicatcher": _multicatcher,
    "rttcatcher": _rttcatcher,
    "report": _report,
    "config": _config,
    "help": _help,
    "completion": _completion,
}


def _cast(name: str, arguments: Sequence[str]) -> int:
    from mrsync.cli.sync import sync

    return sync(name, arguments)


def _tell_unraisable(unraisable: sys.UnraisableHookArgs) -> None:
    """Ignore Interrupted where it cannot be raised, because the run learns of the signal in another way too."""
    if not isinstance(unraisable.exc_value, Interrupted):
        sys.__unraisablehook__(unraisable)


def _interrupt(number: int, _: FrameType | None) -> None:
    for each in ending_signals():
        signal.signal(each, signal.SIG_DFL)  # a second signal skips cleanup
    raise Interrupted(f"interrupted by {signal.Signals(number).name}")
