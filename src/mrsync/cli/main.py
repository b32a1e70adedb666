"""The commands: from arguments to an exit status. What a command does not need is not imported."""

from __future__ import annotations

import gc
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from types import FrameType
from typing import TYPE_CHECKING

from mrsync.cli import options
from mrsync.cli.signals import SIGNALS
from mrsync.errors import Interrupted, MrsyncError, UsageError

if TYPE_CHECKING:
    from mrsync.cli.logfile import LogFile
    from mrsync.cli.options import Output
    from mrsync.run.settings import CastSettings


def mrsync() -> int:
    """Entry point: sync, or one of the tools."""
    return run_command("mrsync", _mrsync, sys.argv[1:])


def multicaster() -> int:
    """Entry point: cast to catchers that were started by hand."""
    return run_command("multicaster", _multicaster, sys.argv[1:])


def multicatcher() -> int:
    """Entry point: catch what a multicaster casts."""
    return run_command("multicatcher", _multicatcher, sys.argv[1:])


def tr_filelist() -> int:
    """Entry point: the tool that 4.0.1 called trFilelist."""
    return run_command("trFilelist", lambda arguments: _filelist("trFilelist", arguments), sys.argv[1:])


def rtt() -> int:
    """Entry point: measure round trips."""
    return run_command("rtt", _rtt, sys.argv[1:])


def rttcatcher() -> int:
    """Entry point: echo what rtt sends."""
    return run_command("rttcatcher", _rttcatcher, sys.argv[1:])


def run_command(name: str, command: Callable[[Sequence[str]], int], arguments: Sequence[str]) -> int:
    """Every end of a command: its own exit status, or one sentence and the status of the error."""
    gc.disable()  # modules, columns and numbers make no cycles; looking for some costs a tenth of a large scan
    for number in SIGNALS:
        signal.signal(number, _interrupt)
    try:
        return command(arguments)
    except MrsyncError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return error.exit_status
    except BrokenPipeError:  # whoever read what we say has gone, and with `| head` that is no surprise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Interrupted.exit_status
    finally:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)  # all is said: what follows is the interpreter's own end


def _mrsync(arguments: Sequence[str]) -> int:
    if arguments[:1] == ["demo"]:
        from mrsync.run.demo import demo

        if arguments[1:]:
            raise UsageError("demo takes no arguments")
        return demo(_mrsync)
    if arguments[:1] == ["filelist"]:
        return _filelist("mrsync filelist", arguments[1:])
    if arguments[:1] == ["rtt"]:
        return _rtt(arguments[1:])
    if arguments[:1] == ["doctor"]:
        from mrsync.cli.doctor import doctor

        return doctor(arguments[1:])
    return _cast("mrsync", *options.parse_mrsync(arguments), arguments)


def _multicaster(arguments: Sequence[str]) -> int:
    return _cast("multicaster", *options.parse_multicaster(arguments), arguments)


def _multicatcher(arguments: Sequence[str]) -> int:
    if len(arguments) == 2 and arguments[0] == "--launched":
        from mrsync.remote.command import answer
        from mrsync.run.catch.catch import catch_from_stdin

        answer()
        return catch_from_stdin(arguments[1])
    settings = options.parse_multicatcher(arguments)
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


def _cast(name: str, settings: CastSettings, output: Output, arguments: Sequence[str]) -> int:
    if output.log_file is None:
        return _cast_and_tell(name, settings, output, None)
    from mrsync.cli.logfile import LogFile
    from mrsync.run.settings import draw_session

    settings = settings._replace(session=draw_session())
    with LogFile(output.log_file, output.log_format, settings.session) as log:
        log.begin(name, settings, arguments)
        return _cast_and_tell(name, settings, output, log)


def _cast_and_tell(name: str, settings: CastSettings, output: Output, log: LogFile | None) -> int:
    from mrsync.cli import report
    from mrsync.cli.progress import make_progress, tell_left_out
    from mrsync.cli.signals import signals_requesting
    from mrsync.run.cast.cast import cast
    from mrsync.run.observer import Notice
    from mrsync.run.stop import Stop

    recording = None
    with make_progress(output.progress, output.verbosity) as observer:
        if output.page:
            from mrsync.cli.recording import Recording

            observer = recording = Recording(observer)
        if log is not None:
            observer = log.before(observer)
        for path in output.configurations:
            observer.on_notice(Notice(2, f"settings from {path}"))
        tell_left_out(observer, output.left_out)
        stop = Stop()
        with signals_requesting(stop):
            outcome = cast(settings, observer, stop)
    if output.report:
        report.write_report(report.report_text(outcome), output.report)
    if output.page:
        from mrsync.cli.page import page

        report.write_report(page(outcome, recording.samples if recording else []), output.page)
    if output.metrics:
        from mrsync.cli.metrics import metrics

        report.write_report(metrics(outcome, time.time()), output.metrics)
    if log is not None:
        log.end(outcome)
    if settings.policy.itemizes:
        from mrsync.cli.itemized import change_events, change_lines

        for line in (change_events if output.progress == "json" else change_lines)(outcome):
            print(line)
    if output.progress == "json":
        print(report.event_line(outcome))
    else:
        for line in report.summary_lines(outcome, verbosity=output.verbosity, has_stats=output.has_stats):
            print(line)
    if complaint := report.complaint(outcome):
        print(f"{name}: {complaint}", file=sys.stderr)
    return outcome.exit_status


def _interrupt(number: int, _: FrameType | None) -> None:
    for each in SIGNALS:
        signal.signal(each, signal.SIG_DFL)  # a second signal skips cleanup
    raise Interrupted(f"interrupted by {signal.Signals(number).name}")
