"""The live view, as a person sees it: frames as text, and on an emulated terminal."""

from __future__ import annotations

import pytest

from mrsync.cli.output.live_view import FrameLine, Rate, duration, frame, state_of
from mrsync.run.observer import Snapshot, TargetProgress


def fleet(count: int) -> tuple[TargetProgress, ...]:
    """Targets of which some are done, silent, lost or unreachable; the higher the number, the further on."""
    states = {3: "lost", 5: "done", 7: "unreachable"}
    return tuple(
        TargetProgress(
            f"node{number:04d}",
            states.get(number % 50, "present"),
            bytes_done=400 + number * 100 // count,
            silent_s=4.2 if number % 50 == 4 else 0.1,
        )
        for number in range(count)
    )


def casting(targets: tuple[TargetProgress, ...]) -> Snapshot:
    return Snapshot(
        "casting", 12.0, bytes_planned=1000, bytes_sent=500, bytes_repaired=5, bytes_traffic=505, targets=targets
    )


def shown(lines: list[FrameLine]) -> list[str]:
    return ["".join(text for text, _ in line).rstrip() for line in lines]


def rate_of(*sent: int) -> Rate:
    """A rate after snapshots one second apart."""
    rate = Rate()
    for seconds, count in enumerate(sent, 1):
        rate.update(Snapshot("casting", float(seconds), 1000, count))
    return rate


@pytest.mark.parametrize(("width", "height"), [(80, 24), (200, 50), (40, 8), (20, 3), (1, 1)])
@pytest.mark.parametrize("count", [1, 3, 60, 1000])
def test_a_frame_stays_within_the_screen(count: int, width: int, height: int) -> None:
    lines = shown(frame(casting(fleet(count)), rate_of(100, 250), width, height))
    assert len(lines) <= height
    assert max(map(len, lines)) <= width


def test_heads_and_the_targets_furthest_behind_are_on_top() -> None:
    lines = shown(frame(casting(fleet(60)), rate_of(100, 250), 80, 24))
    heads = next(number for number, line in enumerate(lines) if line.startswith("target"))
    assert lines[heads].split() == ["target", "state", "done", "behind", "losses", "note"]
    assert [line.split()[0] for line in lines[heads + 1 : heads + 4]] == ["node0000", "node0001", "node0002"]
    assert lines[-3] == "and 37 more, further ahead"


def test_lost_hosts_are_folded_below_the_table() -> None:
    lines = shown(frame(casting(fleet(60)), Rate(), 80, 24))
    assert lines[-2:] == ["lost: node[0003,0053]", "unreachable: node[0007,0057]"]
    assert not any(line.startswith("node0003") for line in lines)


def test_a_narrow_terminal_shows_whole_names_and_whole_columns() -> None:
    lines = shown(frame(casting(fleet(60)), rate_of(100, 250), 40, 24))
    assert lines[0] == "casting  50 % of 1 kB  112 B/s  waiting"
    assert lines[3:5] == ["target    state         done     behind", "node0000  receiving     40 %      100 B"]
    assert shown(frame(casting(fleet(60)), rate_of(100, 250), 30, 24))[4] == "node0000  receiving     40 %"


def test_a_wide_terminal_shows_long_names() -> None:
    long = "storage-17.rack-3.frankfurt.example.net"
    snapshot = casting((TargetProgress(long, "present", 1),))
    assert shown(frame(snapshot, Rate(), 200, 24))[-1].startswith(f"{long}  receiving")
    assert shown(frame(snapshot, Rate(), 90, 24))[-1].startswith(f"{long[:31]}…  receiving")


def test_targets_are_counted_by_state() -> None:
    lines = shown(frame(casting(fleet(60)), Rate(), 80, 24))
    assert lines[2] == "52 receiving · 2 silent · 2 done · 2 lost · 2 unreachable · 0.99 % repairs"


def test_a_silent_target_shows_for_how_long() -> None:
    lines = shown(frame(casting(fleet(10)), Rate(), 80, 24))
    assert "silent 4 s" in next(line for line in lines if line.startswith("node0004"))


def test_a_relay_and_a_monitor_are_named() -> None:
    targets = (
        TargetProgress("a", "present", 1, is_monitor=True),
        TargetProgress("b", "present", 2, parent="a", pages_waiting=200),
        TargetProgress("c", "present", 3, is_unicast=True),
    )
    lines = shown(frame(casting(targets), Rate(), 80, 24))
    assert [line.split("  ")[-1].strip() for line in lines[-3:]] == [
        "sets the pace", "fed by a, 200 pages wait", "unicast",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("phase", "word"), [("gathering", "joined"), ("comparing", "comparing"), ("finishing", "finishing")]
)
def test_activity_of_a_target_follows_from_the_phase(phase: str, word: str) -> None:
    assert state_of(TargetProgress("a", "present"), phase) == word


def test_time_left_follows_the_rate() -> None:
    snapshot = casting(fleet(1))._replace(seconds=3.0)
    assert "250 B/s  2 s left" in shown(frame(snapshot, rate_of(250, 500), 80, 24))[0]


def rate_after(*done: tuple[int, int]) -> Rate:
    """A rate after snapshots one second apart. done: bytes sent, and files in place."""
    rate = Rate()
    for seconds, (sent, files) in enumerate(done):
        rate.update(Snapshot("casting", float(seconds), 200_000_000, sent, files_done=files))
    return rate


def test_many_small_files_take_longer_than_their_bytes() -> None:
    rate = rate_after((0, 0), (400, 10), (800, 20))
    snapshot = Snapshot("casting", 2.0, 1000, 800, files_planned=101, files_done=20)
    assert "400 B/s" in shown(frame(snapshot, rate, 80, 24))[0]
    assert "8 s left" in shown(frame(snapshot, rate, 80, 24))[0]


def test_the_first_large_files_say_nothing_about_small_ones() -> None:
    """Seven large files are in place, three thousand small ones have not begun: that is no reason to expect hours."""
    rate = rate_after((0, 0), (50_000_000, 7), (100_000_000, 7), (150_000_000, 7))
    snapshot = Snapshot("casting", 3.0, 200_000_000, 150_000_000, files_planned=3000, files_done=7)
    assert rate.left_s(snapshot) == pytest.approx(3, abs=0.2)


def test_files_that_wait_for_the_last_byte_do_not_count() -> None:
    rate = rate_after((0, 0), (50_000_000, 0), (100_000_000, 0))
    snapshot = Snapshot("casting", 2.0, 200_000_000, 100_000_000, files_planned=1_000_000)
    assert rate.left_s(snapshot) == pytest.approx(2)


def test_targets_keep_their_order_where_all_have_room() -> None:
    targets = (TargetProgress("a", "present", 3), TargetProgress("b", "present", 1), TargetProgress("c", "present", 2))
    first = [line.split()[0] for line in shown(frame(casting(targets), Rate(), 80, 24))[-3:]]
    assert first == ["a", "b", "c"]
    assert shown(frame(casting(targets), Rate(), 80, 6))[-2].startswith("b ")


def test_no_time_left_is_guessed_while_nothing_moves() -> None:
    stalled = rate_of(500, 500, 500, 500, 500)
    snapshot = casting(fleet(1))._replace(seconds=5.0)
    assert "waiting" in shown(frame(snapshot, stalled, 80, 24))[0]


def test_the_end_of_sending_is_shown() -> None:
    snapshot = casting(fleet(1))._replace(bytes_sent=1000)
    assert "all sent" in shown(frame(snapshot, rate_of(500, 1000), 80, 24))[0]


def test_a_wide_terminal_shows_recent_rates() -> None:
    rate = rate_of(100, 200, 600)
    assert rate.sparkline() == "▃▃█"
    assert rate.sparkline() in shown(frame(casting(fleet(1)), rate, 100, 24))[0]
    assert rate.sparkline() not in shown(frame(casting(fleet(1)), rate, 80, 24))[0]


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0 s"), (59.9, "59 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")])
def test_durations_have_fitting_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text
