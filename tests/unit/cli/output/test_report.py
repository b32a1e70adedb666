from __future__ import annotations

import json
import os
import re
from typing import Any

import pytest

from mrsync.cli.output.report import complaint, event_line, report_fields, size, summary_lines, troubles
from mrsync.protocol.core.histogram import Histogram
from mrsync.run.cast.outcome import Outcome, SatOut, Seconds, TargetOutcome, TargetState

FULL = SatOut(b"big\xff", "ENOSPC", "No space left on device")


def target(host: str, state: TargetState = TargetState.DONE, reason: str | None = None, **fields: Any) -> TargetOutcome:
    return TargetOutcome(host, state, reason)._replace(files_updated=3, bytes_written=4_000_000, **fields)


def outcome(*targets: TargetOutcome) -> Outcome:
    return Outcome(
        0xABC,
        b"/from/\xff",
        b"/to",
        targets or (target("n1"), target("n2"), target("n3")),
        Seconds(total=2.5, cast=2.0),
        files_planned=3,
        bytes_planned=4_000_000,
        bytes_sent=4_040_000,
        bytes_repaired=40_000,
        round_trips=Histogram({900: 10, 1500: 5}),
    )


def summary(result: Outcome, verbosity: int = 0, *, has_stats: bool = False) -> list[str]:
    """The verdict with details, then what is wrong."""
    lines = summary_lines(result, verbosity=verbosity, has_stats=has_stats)
    return [*lines, *map(": ".join, troubles(result))]


def test_report_has_the_fields_of_the_contract() -> None:
    """Those of docs/cli.md, schema 1; fields may be added, never lost."""
    fields = json.loads(json.dumps(report_fields(outcome(target("n1", sat_out=(FULL,))))))
    assert fields["schema"] == 1
    assert fields["session"] == "0000000000000abc"
    promised = (
        "exit_status source dest seconds entries files_planned bytes_planned pages pages_sent bytes_sent bytes_repaired"
        " packets_sent packets_repaired packets_coded rtt_ms warnings targets"
    )
    assert set(promised.split()) <= set(fields)
    assert set(fields["seconds"]) == {"total", "launch", "gather", "manifest", "compare", "cast", "commit"}
    assert fields["rtt_ms"] == {"p50": 0.9, "p99": 1.5, "max": 1.5, "histogram": [[1, 10], [2, 5]]}
    promised = "state reason path files_updated bytes_written deleted packets_lost kernel_drops monitor_seconds seconds"
    assert {*promised.split(), "sat_out"} <= set(fields["targets"]["n1"])
    assert fields["targets"]["n1"]["state"] == "done"
    assert fields["targets"]["n1"]["sat_out"][0]["error"] == "ENOSPC"


def test_paths_in_the_report_keep_their_bytes() -> None:
    fields = json.loads(event_line(outcome(target("n1", sat_out=(FULL,)))))
    assert fields["event"] == "outcome"
    assert os.fsencode(fields["source"]) == b"/from/\xff"
    assert os.fsencode(fields["targets"]["n1"]["sat_out"][0]["path"]) == b"big\xff"


def test_all_well_is_one_line() -> None:
    assert summary(outcome()) == [
        "3/3 complete; 4 MB in 2.5 s; 2 MB/s sent once = 6 MB/s delivered; repair 0.99 %",
    ]
    assert complaint(outcome()) is None


def test_data_of_an_earlier_run_is_not_counted_as_sent() -> None:
    resumed = outcome()._replace(pages=4, pages_sent=3, bytes_repaired=0)
    assert summary(resumed) == [
        "3/3 complete; 3 MB in 2.5 s; 1.5 MB/s sent once = 6 MB/s delivered; 1 MB were there before"
    ]
    broken = resumed._replace(targets=(target("a", TargetState.LOST, "interrupted"),))
    assert "were there before" not in summary(broken)[0]


def test_a_run_without_contents_shows_no_rates() -> None:
    quiet = outcome()._replace(bytes_planned=0, bytes_sent=0, bytes_repaired=0, seconds=Seconds(total=0.05))
    assert summary(quiet) == ["3/3 complete; 0 B in 0.05 s"]
    instant = outcome()._replace(bytes_repaired=0, seconds=Seconds(total=0.05))
    assert summary(instant) == ["3/3 complete; 4 MB in 0.05 s"]


def test_a_run_that_sends_next_to_nothing_shows_no_rates() -> None:
    small = outcome()._replace(pages=1000, pages_sent=1, bytes_planned=42_000, bytes_repaired=0)
    assert summary(small)[0].startswith("3/3 complete; 42 B in 2.5 s")
    assert "sent once" not in summary(small)[0]


def test_targets_that_are_behind_are_listed_by_reason() -> None:
    lost = [target(f"n{number}", TargetState.LOST, "silent for 60 s") for number in (4, 5, 6)]
    files = [FULL._replace(path=b"big\xff%d" % number) for number in range(5)]
    full = target("x1", TargetState.PARTIAL, sat_out=(*files, files[0]._replace(message="again")))
    result = outcome(target("n1"), *lost, full)
    verdict, *others = summary(result)
    assert verdict.startswith("1/5 complete, 1 partial, 3 lost; ")
    assert others == [
        "n[4-6]: lost, silent for 60 s",
        "x1: partial; big\\xff0: No space left on device (ENOSPC), again (ENOSPC); "
        "big\\xff1: No space left on device (ENOSPC); big\\xff2: No space left on device (ENOSPC); and 2 more files",
    ]
    assert complaint(result) == "not complete: n[4-6],x1"


def test_an_interrupted_run_counts_no_target_as_lost() -> None:
    late = target("n2", TargetState.UNREACHABLE, "interrupted before it joined", is_interrupted=True)
    busy = target("n3", TargetState.LOST, "interrupted; files in place: 3 of 9", is_interrupted=True)
    verdict, *others = summary(outcome(target("n1"), late, busy, target("n4", TargetState.LOST, "silent for 60 s")))
    assert verdict.startswith("1/4 complete, 1 lost, 2 interrupted; ")
    assert others == [
        "n2: interrupted before it joined",
        "n3: interrupted; files in place: 3 of 9",
        "n4: lost, silent for 60 s",
    ]


def test_verbose_shows_complete_targets_and_round_trips() -> None:
    nothing_sent = outcome()._replace(bytes_planned=0, bytes_sent=0, bytes_repaired=0)
    assert "round trip: p50 900 us" in summary(nothing_sent, 1)[-1]
    brief, lines = summary(outcome(), 1), summary(outcome(), 2)
    assert "n[1-3]: ok; 3 files updated, 0 deleted" in brief
    at = brief.index("rtt histogram")
    assert brief[at + 1 : at + 5] == ["msec    counts", "----  --------", "   1        10", "   2         5"]
    assert len(lines) > len(brief)


def test_statistics_name_every_phase() -> None:
    text = "\n".join(summary(outcome(), has_stats=True))
    assert re.search(r"total 2\.500, launch 0\.000, .*commit 0\.000", text)
    assert "p99 1500 us" in text


def test_a_dry_run_reports_what_would_change() -> None:
    targets = [target(f"n{number}", files_needed=2, bytes_needed=5000, changes=1) for number in (1, 2)]
    lines = summary(outcome(*targets)._replace(is_dry_run=True))
    assert lines == [
        "dry run: 2/2 complete; 3 files, 4 MB would be sent",
        "n[1-2]: 2 files, 5 kB needed; 1 other change",
    ]
    deleting = summary(outcome(target("a", deleted=444))._replace(is_dry_run=True))
    assert deleting[1] == "a: 0 files, 0 B needed; 444 would be deleted"


def test_a_newline_in_a_name_stays_on_the_line() -> None:
    line = summary(outcome(target("a", TargetState.PARTIAL, sat_out=(SatOut(b"a\nb", "EIO", "bad"),))))[1]
    assert line == "a: partial; a\\nb: bad (EIO)"


def test_a_reason_without_the_name_of_an_error_has_no_empty_parentheses() -> None:
    line = summary(outcome(target("a", TargetState.PARTIAL, sat_out=(SatOut(b"f", "", "b could not take it"),))))[1]
    assert line == "a: partial; f: b could not take it"


@pytest.mark.parametrize(
    ("result", "sentence"),
    [
        (outcome(target("a", TargetState.UNREACHABLE, "no route")), "no target could be reached: no route"),
        (outcome(target("a", TargetState.LOST, "silent")), "every target was lost: silent"),
        (outcome()._replace(source_errors=2), "2 files or directories of the source could not be read"),
        (outcome()._replace(source_changes=1), "1 source file vanished or changed while it was read"),
        (outcome(target("a", deletions_skipped=1)), "deletions stopped because of --max-delete, 1 was skipped"),
        (
            outcome(target("n1", deletions_skipped=2), target("n2", deletions_skipped=9), target("n3")),
            "deletions stopped because of --max-delete, 2 to 9 were skipped on n[1-2]",
        ),
        (
            outcome(target("a", deletions_skipped=9), target("b", deletions_skipped=9)),
            "deletions stopped because of --max-delete, 9 were skipped on a,b",
        ),
    ],
)
def test_every_status_but_0_has_its_sentence(result: Outcome, sentence: str) -> None:
    assert complaint(result) == sentence


def test_sizes_have_three_digits() -> None:
    assert [size(count) for count in (0, 999, 1234, 41_200_000_000, 5e15)] == [
        "0 B", "999 B", "1.23 kB", "41.2 GB", "5e+03 TB",
    ]  # fmt: skip


def test_copies_on_the_link_are_explained() -> None:
    reason = "it does not receive the group"
    deaf = [target(host, path="unicast", path_reason=reason) for host in ("n4", "n6")]
    mixed = outcome(target("n1"), *deaf)._replace(bytes_sent=12_120_000, bytes_unicast=8_080_000)
    assert summary(mixed)[0].endswith("; repair 0.33 %; 3 copies on the link: 1 by multicast, 2 by unicast (n[4,6])")
    fields = report_fields(mixed)
    assert fields["bytes_unicast"] == 8_080_000
    assert (fields["targets"]["n4"]["path"], fields["targets"]["n4"]["path_reason"]) == ("unicast", reason)
    assert (fields["targets"]["n1"]["path"], fields["targets"]["n1"]["path_reason"]) == ("multicast", None)
    fed = [target(host, path="relay", parent="n4", path_reason=reason) for host in ("n7", "n8")]
    assert summary(outcome(deaf[0], *fed))[0].endswith(
        "; 1 copy on the link, by unicast; forwarded from target to target to n[7-8]"
    )
    assert summary(outcome(target("n1"), *fed))[0].endswith(
        "; 1 copy on the link, by multicast; forwarded from target to target to n[7-8]"
    )
    assert summary(outcome(*deaf))[0].endswith("; 2 copies on the link, by unicast")
    assert summary(outcome(deaf[0]))[0].endswith("; 1 copy on the link, by unicast")
