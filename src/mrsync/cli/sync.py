"""The commands mrsync and multicaster: one run, and its output to terminal and files, however it ends."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING, NoReturn

from mrsync.cli.conclusion import complain, print_changes, print_conclusion
from mrsync.cli.output import report
from mrsync.cli.output.progress import Progress, make_progress, tell_all
from mrsync.cli.result_files import ResultFiles
from mrsync.cli.settings import options
from mrsync.cli.settings.options import Draft
from mrsync.cli.settings.output_options import Output
from mrsync.cli.signals import signals_requesting, unheard_signals
from mrsync.errors import ExitStatus, FileError, Interrupted, MrsyncError, describe_shortage
from mrsync.escaping import escape_controls
from mrsync.remote.folding import fold
from mrsync.run.cast.outcome import Outcome
from mrsync.run.observer import Notice, Observer
from mrsync.run.settings import CastSettings, draw_session
from mrsync.run.stop import Stop

if TYPE_CHECKING:
    from mrsync.cli.output.logfile import LogFile
    from mrsync.run.cast.cast import OutcomeNow

_PARSERS: dict[str, tuple[Callable[[Sequence[str]], tuple[CastSettings, Output]], Callable[[Sequence[str]], Draft]]] = {
    "mrsync": (options.parse_mrsync, options.draft_mrsync),
    "multicaster": (options.parse_multicaster, options.draft_multicaster),
}


def sync(name: str, arguments: Sequence[str]) -> int:
    """Run the command with this name; return its exit status.

    Raise UsageError if the command line is so wrong that not even its output files are known.
    """
    parse, draft = _PARSERS[name]
    try:
        settings, output = parse(arguments)
    except MrsyncError as error:
        _record_mistake(name, draft, arguments, error)
        raise
    settings = settings._replace(session=draw_session())
    files = ResultFiles(name, arguments, output, partial(complain, name))
    outcome = _logged_run(name, settings, output, arguments, files)
    print_conclusion(name, outcome, output)
    return outcome.exit_status


def _logged_run(
    name: str, settings: CastSettings, output: Output, arguments: Sequence[str], files: ResultFiles
) -> Outcome:
    try:
        log = None if output.log_file is None else _open_log(output, settings.session)
    except FileError as error:
        outcome = _failed(settings, error)
        files.write(outcome)
        return outcome
    with log or nullcontext():
        if log is not None:
            log.begin(name, settings.source, settings.dest, fold(list(settings.targets)), arguments)
        outcome = _run(name, settings, output, log, files)
        if settings.policy.itemizes:
            print_changes(outcome, output, log)
        if log is not None:
            log.end(outcome)
    return outcome


def _open_log(output: Output, session: int) -> LogFile:
    """Open the log file that is asked for. Raise FileError if that fails."""
    from mrsync.cli.output.logfile import LogFile

    assert output.log_file is not None  # what the callers checked
    return LogFile(output.log_file, output.log_format, session)


def _run(name: str, settings: CastSettings, output: Output, log: LogFile | None, files: ResultFiles) -> Outcome:
    """Run the sync. Write reports and metrics in any case."""
    from mrsync.run.cast.cast import cast

    begun: list[OutcomeNow] = []
    trace = log.trace if log is not None and output.log_level == "debug" else None
    style, verbosity = ("none", 0) if output.is_quiet else (output.progress, output.verbosity)
    display = make_progress(style, verbosity, name)
    with display as progress:
        recording = None
        if output.page or output.report:
            from mrsync.cli.output.recording import Recording

            recording = Recording(progress)
        observer: Observer = recording or progress
        if "NOTIFY_SOCKET" in os.environ:
            from mrsync.cli.output.service_status import ServiceStatus

            observer = ServiceStatus(observer)
        if log is not None:
            observer = log.before(observer)
        for path in output.configurations:
            observer.on_notice(Notice(2, f"settings from {path}"))
        tell_all(observer, output.remarks)
        try:
            stop, leave = Stop(), partial(_leave, display, settings, files, log, begun)
            with signals_requesting(stop, leave), unheard_signals(leave) as watch:
                outcome = cast(settings, observer, stop, trace, partial(_begin, begun, watch))
        except Exception as error:
            outcome = _failed(settings, error, begun)
            if not isinstance(error, MrsyncError) and not describe_shortage(error):
                files.write(outcome)
                if log is not None:
                    log.end(outcome)
                raise
    files.write(outcome, recording.samples if recording else ())
    return outcome


def _begin(begun: list[OutcomeNow], watch: Callable[[], None], outcome_now: OutcomeNow) -> None:
    """Note that a run has begun. All catchers are started, so threads are no risk any more."""
    if not begun:
        watch()
    begun.append(outcome_now)


def _leave(
    display: Progress,
    settings: CastSettings,
    files: ResultFiles,
    log: LogFile | None,
    begun: Sequence[OutcomeNow],
    reason: str,
) -> NoReturn:
    """Exit at once, at a second signal or one that is not heard, without waiting for targets.

    The main thread may be in the middle of anything, also of a write to the same stream or file: leave even if telling
    fails.
    """
    try:
        display.close()  # leave a clean terminal
        error = Interrupted(f"{reason}: leaving at once, targets clean up by themselves")
        outcome = _failed(settings, error, begun)
        files.write(outcome)
        if log is not None:
            log.end(outcome)
        os.write(2, f"{report.complaint(outcome)}\n".encode(errors="replace"))  # print() refuses to interrupt a print()
        sys.stdout.flush()
    finally:
        os._exit(ExitStatus.INTERRUPTED)


def _failed(settings: CastSettings, error: Exception, begun: Sequence[OutcomeNow] = ()) -> Outcome:
    """Return the outcome of a run that this error ended. begun: empty if the run has not begun."""
    if begun:
        return begun[0](_sentence(error), _status(error))
    source, dest, hosts = settings.source, settings.dest, settings.targets
    return Outcome.failed(settings.session, source, dest, hosts, failure=_sentence(error), status=_status(error))


def _record_mistake(
    name: str, draft: Callable[[Sequence[str]], Draft], arguments: Sequence[str], error: MrsyncError
) -> None:
    """Write reports and log of a run with a wrong command line, as far as they are known."""
    try:
        known = draft(arguments)
    except MrsyncError:
        return
    status = _status(error)
    session = draw_session()
    outcome = Outcome.failed(session, known.source, known.dest, (), failure=_sentence(error), status=status)
    if known.output.log_file is not None:
        try:
            with _open_log(known.output, session) as log:
                log.begin(name, known.source, known.dest, known.targets, arguments)
                log.end(outcome)
        except FileError as unwritten:
            complain(name, str(unwritten))
    ResultFiles(name, arguments, known.output, partial(complain, name)).write(outcome)


def _sentence(error: Exception) -> str:
    if isinstance(error, MrsyncError):
        return escape_controls(str(error))
    return describe_shortage(error) or escape_controls(f"internal error: {type(error).__name__}: {error}")


def _status(error: Exception) -> ExitStatus:
    if isinstance(error, MrsyncError):
        return error.exit_status
    return ExitStatus.START if describe_shortage(error) else ExitStatus.USAGE
