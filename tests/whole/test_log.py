"""The log of whole runs."""

from __future__ import annotations

import json
import re
import shutil

import pytest

from tests.whole.site import Site


def test_runs_are_logged_from_start_to_end(site: Site) -> None:
    site.source.mkdir()
    (site.source / "f").write_text("x")
    log = site.folder / "log"
    ended = site.sync("--log-file", log, "--log-format", "json", "-i", "--quiet")
    assert (ended.status, ended.stdout) == (0, "")
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["text"] for line in lines if line["event"] == "change"][-1:] == ["a,b,c: >f+++++++++ f"]
    assert (lines[0]["event"], lines[0]["targets"], lines[-1]["event"]) == ("start", "a,b,c", "end")
    assert lines[-1]["exit_status"] == 0
    assert lines[-1]["seconds"] > 0
    assert {line["session"] for line in lines} == {json.loads((site.folder / "report.json").read_text())["session"]}
    assert {"joined", "phase casting"} <= {line.get("text") for line in lines}  # whatever is shown


def test_an_interrupted_run_has_an_end(site: Site) -> None:
    site.source.mkdir()
    (site.source / "big").write_bytes(bytes(range(256)) * (8 << 12))
    log = site.folder / "log"
    run = site.start("--log-file", log, "--rate", "1M", "-v", "2")
    run.wait_for("phase casting")
    run.interrupt()
    assert run.wait().status == 20
    end = log.read_text().splitlines()[-1]
    assert re.match("[^ ]+ [0-9a-f]{16} end exit_status=20 ", end)
    assert ' outcome="interrupted by SIGINT; run the same command again to resume" verdict="0/3 complete' in end


def test_a_debug_log_has_every_phase_message_and_page(site: Site) -> None:
    site.source.mkdir()
    (site.source / "f").write_bytes(bytes(range(256)) * 1024)
    log = site.folder / "log"
    assert site.sync("--log-file", log, "--log-format", "json", "--log-level", "debug").status == 0
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["phase"] for line in lines if line["event"] == "phase"][:3] == ["comparing", "planning", "casting"]
    sent = [line["page"] for line in lines if line["event"] == "sent" and line.get("object") == "contents"]
    assert sorted(set(sent)) == list(range(len(set(sent))))
    assert {"hello", "report"} <= {line["what"] for line in lines if line["event"] == "received"}
    assert {line["session"] for line in lines} == {lines[0]["session"]}


def test_a_debug_log_needs_a_file(site: Site) -> None:
    site.source.mkdir()
    ended = site.sync("--log-level", "debug")
    assert (ended.status, ended.report["exit_status"]) == (1, 1)
    assert ended.stderr == "mrsync: --log-level debug: name the file to write to with --log-file\n"


def test_a_run_that_cannot_begin_logs_its_task(site: Site) -> None:
    log = site.folder / "log"
    ended = site.sync("--log-file", log, "--log-format", "json")
    start, end = map(json.loads, log.read_text().splitlines())
    assert (start["event"], start["targets"], start["source"]) == ("start", ",".join(site.hosts), str(site.source))
    assert (end["event"], end["exit_status"], end["session"]) == ("end", ended.status, start["session"])
    assert start["session"] == ended.report["session"] != "0" * 16


def test_nothing_starts_without_its_log(site: Site) -> None:
    site.source.mkdir()
    ended = site.sync("--log-file", site.folder / "no" / "log")
    assert (ended.status, ended.report["exit_status"]) == (11, 11)
    assert ended.stderr == f"mrsync: cannot open the log file {site.folder}/no/log: No such file or directory\n"
    assert not site.dest("a").exists()


@pytest.mark.skipif(shutil.which("prlimit") is None, reason="prlimit is not installed")
def test_a_full_disk_stops_only_log_and_report(site: Site) -> None:
    site.source.mkdir()
    ended = site.sync("--log-file", site.folder / "log", prefix=("prlimit", "--fsize=0"))
    assert ended.status == 0
    unkept = "warning: no record of this sync is kept for mrsync verify: File too large"
    assert [line for line in ended.stderr.splitlines() if not line.endswith(unkept)] == [
        f"cannot write to the log file {site.folder}/log: File too large",
        f"mrsync: cannot write {site.folder}/report.json: File too large",
    ]
    assert sorted(path.name for path in site.folder.iterdir()) == ["dest", "log", "source"]


def test_settings_from_a_file_are_used_and_logged(site: Site) -> None:
    site.source.mkdir()
    (site.source / "f").touch()
    settings = site.folder / "settings.toml"
    settings.write_text(f'log-file = "{site.folder}/log"\nverbose = 2\nexclude = ["f"]\n')
    settings.chmod(0o600)
    ended = site.sync("--config", settings)
    assert ended.status == 0
    assert f"settings from {settings}" in ended.stderr.splitlines()
    assert (site.folder / "log").exists()
    assert list(site.dest("a").iterdir()) == []
