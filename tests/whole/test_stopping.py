"""--stop-after and --stop-at: a run ends in time, leaves whole files only, and the next one resumes."""

from __future__ import annotations

import os

import pytest

from tests.whole.site import MEGABYTE, Site


def test_a_run_that_stops_leaves_whole_files_and_resumes(site: Site) -> None:
    site.source.mkdir()
    for number in range(8):
        (site.source / f"{number}").write_bytes(os.urandom(MEGABYTE))
    ended = site.sync("--stop-after", "0.05", "--rate", "500K")  # 3 s of 16
    assert (ended.status, ended.report["exit_status"]) == (30, 30)
    assert "stopped by --stop-after or --stop-at; run the same command again to resume" in ended.stderr
    for host in site.hosts:
        for path in site.dest(host).glob("[0-9]"):
            assert path.read_bytes() == (site.source / path.name).read_bytes()
    again = site.sync()
    assert again.status == 0, again.stderr
    assert not any(site.all_differences().values())
    assert not site.staged()


def test_a_run_that_ends_before_is_not_stopped(site: Site) -> None:
    site.source.mkdir()
    (site.source / "file").touch()
    ended = site.sync("--stop-at", "2099-12-31T23:59", "--stop-after", "60")
    assert ended.status == 0, ended.stderr


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ("--stop-at=2020-01-01T00:00", "is not in the future"),
        ("--stop-at=2/31", "is not a time such as 23:59"),
        ("--stop-after=0", "is not a number of minutes above 0"),
    ],
)
def test_times_that_make_no_sense_are_refused(site: Site, option: str, sentence: str) -> None:
    site.source.mkdir()
    ended = site.sync(option)
    assert ended.status == 1
    assert sentence in ended.stderr
