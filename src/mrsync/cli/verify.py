"""The command mrsync verify: print one folded line for all hosts with the same result, or JSON."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from mrsync.cli.output.report import size
from mrsync.cli.settings.tools.verify_options import parse_verify
from mrsync.cli.tool import is_told, run_tool
from mrsync.errors import ExitStatus
from mrsync.escaping import escape_controls
from mrsync.remote.folding import fold
from mrsync.run.settings import dest_for
from mrsync.run.verify.verify import VerifiedTarget, VerifyOutcome, verify_targets
from mrsync.spelling import counted
from mrsync.tree.model.failure import printable
from mrsync.tree.record.verification import Difference

SCHEMA = 1
NAMED = 3  # differences in the line of a host


def verify(arguments: Sequence[str]) -> int:
    """Verify all targets and print the result. Return the exit status."""
    settings, output = parse_verify(arguments)
    outcome = run_tool(output, partial(verify_targets, settings))
    if not is_told(output, outcome.exit_status, partial(outcome_fields, outcome)):
        print(*lines(outcome, settings.dest, named=None if output.verbosity else NAMED), sep="\n")
    if sentence := complaint(outcome):
        print(f"mrsync verify: {sentence}", file=sys.stderr)
    return outcome.exit_status


def lines(outcome: VerifyOutcome, dest: bytes, named: int | None = NAMED) -> list[str]:
    """Return one line for each group of hosts with the same result. named: number of differences to name; None: all.

    dest: as the user gave it: {host} in it keeps no hosts apart.
    """
    groups: dict[str, list[VerifiedTarget]] = {}
    for target in outcome.targets:
        text = _text(target, named)
        if b"{host}" in dest:
            text = text.replace(printable(dest_for(dest, target.host)), printable(dest))
        groups.setdefault(text, []).append(target)
    shown = []
    for text, targets in groups.items():
        times = [target.verdict.at for target in targets if target.verdict is not None and target.verdict.at]
        when = f" (synced {time.strftime('%Y-%m-%d %H:%M', time.localtime(max(times)))})" if times else ""
        shown.append(f"{fold([target.host for target in targets])}: {text}{when}")
    if outcome.stale and not outcome.others:
        shown.append(f"{fold(outcome.stale)}: last synced by another run than the others, with the same tree")
    return shown


def complaint(outcome: VerifyOutcome) -> str:
    """Return a sentence that explains the exit status; empty if it is 0."""
    if outcome.is_interrupted:
        return "interrupted"
    if outcome.exit_status == ExitStatus.START:
        return "no target can be reached"  # the lines say why
    bad = [target.host for target in outcome.targets if not target.is_equal]
    if bad:
        cure = "; a sync with --checksum repairs files" if any(target.differences for target in outcome.targets) else ""
        return f"not as they were sent: {fold(bad)}{cure}"
    if outcome.others:
        return f"last synced by another run than the others, with another tree: {fold(outcome.others)}"
    return ""


def outcome_fields(outcome: VerifyOutcome) -> dict[str, Any]:
    """Return the result for JSON."""
    return {
        "schema": SCHEMA,
        "exit_status": outcome.exit_status,
        "seconds": outcome.seconds,
        "manifest": outcome.manifest,
        "stale": outcome.stale,
        "targets": {target.host: _target_fields(target) for target in outcome.targets},
    }


def _target_fields(target: VerifiedTarget) -> dict[str, Any]:
    found = [{**each._asdict(), "path": os.fsdecode(each.path)} for each in target.differences]
    verdict = target.verdict._asdict() if target.verdict is not None else None
    reason = None if target.verdict is not None else target.reason
    return {"is_equal": target.is_equal, "reason": reason, "verdict": verdict, "differences": found}


def _text(target: VerifiedTarget, named: int | None) -> str:
    result = target.verdict
    if result is None:
        return escape_controls(target.reason)
    if result.problem:
        return escape_controls(result.problem)
    known = f"record {result.manifest[:8]}"
    if result.differences:
        shown = "; ".join(_sentence(each) for each in target.differences[:named])
        left = result.differences - len(target.differences[:named])
        more = f"; and {left} more{'' if named is None else ', which -v 1 names'}" if left > 0 else ""
        return f"{counted(result.differences, 'difference')} from {known}: {shown}{more}"
    entries, files = counted(result.entries, "entry", "entries"), counted(result.files, "file")
    unproven = f", {counted(result.unproven, 'file')} known by size and time only" if result.unproven else ""
    return f"equal to {known}: {entries}, {size(result.bytes)} in {files} proven{unproven}"


def _sentence(found: Difference) -> str:
    path, detail = printable(found.path) or ".", escape_controls(found.detail)
    if found.kind == "missing":
        return f"{path} is missing"
    if found.kind == "extra":
        return f"{path} is extra"
    if found.kind == "contents":
        return f"{path} has other contents in {detail}"
    return f"{path} cannot be read: {detail}" if found.kind == "unreadable" else f"{path} differs in {detail}"
