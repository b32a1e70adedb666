"""Rounds in which tools take turns on one field, each copy verified."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable, Sequence
from signal import SIGTERM
from typing import NamedTuple

from tests.bench.peers.field import Field, Usage, digest
from tests.bench.peers.tools import Tool
from tests.netns.process import Process

PATIENCE_S = 60.0


class ToolFailed(Exception):
    """A tool did not bring the tree to all targets; str() says how."""


class Lap(NamedTuple):
    """One copy. first_s: until the first bytes were on their way, where the tool says so."""

    seconds: float
    first_s: float | None = None
    master: Usage = Usage(0, 0)
    target: Usage = Usage(0, 0)


def race(field: Field, tools: Sequence[Tool], rounds: int, *, is_fresh: bool = True) -> dict[str, list[Lap] | str]:
    """Return the laps of each tool by its name, or why it failed. One more round comes first and is not counted.

    Each round has the opposite order of the one before. is_fresh: trees are emptied before each lap. Where they are
    not, they are verified in the last round only: to read them all takes longer than to find nothing to do.
    """
    expected = digest(field.source)
    found: dict[str, list[Lap] | str] = {tool.name: [] for tool in tools}
    for number in range(rounds + 1):
        for tool in tools if number % 2 else reversed(tools):
            laps = found[tool.name]
            if isinstance(laps, str):
                continue
            if is_fresh:
                field.clear()
            try:
                ran = lap(field, tool, expected if is_fresh or number == rounds else None)
            except ToolFailed as failure:
                found[tool.name] = str(failure)
            else:
                laps += [ran] if number else []
    return found


def lap(field: Field, tool: Tool, expected: str | None, *, patience_s: float = PATIENCE_S) -> Lap:
    """Run a tool once. expected: the digest of the source, or None not to verify. patience_s: how long it may take."""
    receivers = tool.receive(field)
    first_s = None
    started = time.monotonic()
    sending = tool.send(field)
    try:
        if tool.first_sign:
            sending[0].wait_for(tool.first_sign)
            first_s = time.monotonic() - started
        awaited = [*sending, *receivers] if tool.receivers_end else sending
        statuses = [process.wait(timeout_s=patience_s) for process in awaited]
        seconds = time.monotonic() - started
    except AssertionError as error:
        close([*sending, *receivers])
        raise ToolFailed(str(error).splitlines()[0]) from None
    dismiss(receivers)
    usages = field.usage() if field.has_meters else ()
    close([*sending, *receivers])
    if any(statuses):
        raise ToolFailed(f"status {max(statuses, key=abs)}: {last_line(sending)}")
    if expected is not None and (differing := field.differing(expected)):
        raise ToolFailed(f"other contents on {', '.join(differing)}")
    return Lap(seconds, first_s, *usages)


def dismiss(receivers: Iterable[Process]) -> None:
    """End what waits for further copies."""
    for receiver in receivers:
        if receiver.is_running:
            receiver.signal(SIGTERM)
    for receiver in receivers:
        receiver.wait()


def close(processes: Iterable[Process]) -> None:
    for process in processes:
        process.close()


def last_line(processes: Iterable[Process]) -> str:
    return next((line for process in processes for line in process.output.splitlines()[-1:]), "it said nothing")


def median_ratio(reference: Iterable[float], values: Iterable[float]) -> float:
    """Return how many times better than the reference, as the median over rounds: less is better."""
    return statistics.median(theirs / ours for theirs, ours in zip(reference, values, strict=True))
