"""The Python interface: what a keyword means, what is refused, and that nothing but the call's result shows."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from ClusterShell.NodeSet import NodeSet

import mrsync
from mrsync.api import Event
from tests.trees import differences


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "a").write_bytes(os.urandom(3_000_000))
    (folder / "b.tmp").write_text("not wanted")
    (tmp_path / "dest").mkdir()
    return folder


def place() -> dict[str, Any]:
    """Options for a place of the network of its own."""
    group = f"239.255.{random.randrange(256)}.{random.randrange(256)}"
    return {"group": group, "port": random.randrange(32000, 60000, 2)}


def sync(source: Path, **options: Any) -> mrsync.Result:
    """To three targets on this host."""
    dest = source.parent / "dest" / "{host}"
    return mrsync.sync(source, ["x", "y", "z"], dest, rsh="local", **place(), **options)


def test_all_targets_become_equal(source: Path) -> None:
    result = sync(source)
    assert result.exit_status == 0
    assert [target.host for target in result.targets] == ["x", "y", "z"]
    assert {target.state for target in result.targets} == {mrsync.TargetState.DONE}
    for host in "xyz":
        assert differences(source, source.parent / "dest" / host) == []


def test_options_are_keywords(source: Path) -> None:
    result = sync(source, exclude=["*.tmp"], dry_run=True, itemize_changes=True, encrypt=False, ack_wait=5)
    assert result.is_dry_run
    assert result.files_planned == 1
    assert not (source.parent / "dest" / "x").exists()


@pytest.mark.parametrize(
    "options",
    [
        {"exclude": ("*.tmp", "a")},
        {"exclude": "*.tmp"},
        {"exclude": {b"*.tmp"}},
        {"exclude": iter(["*.tmp"])},
        {"no_delete": True},
        {"no_delete": False},
        {"exclude_from": Path("excluded")},
        {"compare_dest": Path("/no/such/directory")},
    ],
)
def test_values_are_those_of_python(source: Path, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(source.parent)
    Path("excluded").write_text("*.tmp\n")
    Path("dest/x").mkdir()
    Path("dest/x/extra").write_text("only here")
    result = mrsync.sync(
        os.fsencode(source), "x", os.fsencode(source.parent / "dest/x"), rsh="local", **place(), **options
    )
    assert result.exit_status == 0
    assert Path("dest/x/extra").exists() is options.get("no_delete", False)
    assert Path("dest/x/b.tmp").exists() is not any(name.startswith("exclude") for name in options)


@pytest.mark.parametrize("targets", [[b"x"], b"x", Path("x"), (name for name in "x"), {"x": 1}.keys(), NodeSet("x")])
def test_targets_are_texts_bytes_or_paths(source: Path, targets: Any) -> None:
    result = mrsync.sync(source, targets, source.parent / "dest/{host}", rsh="local", **place(), dry_run=True)
    assert [target.host for target in result.targets] == ["x"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"targets": 5}, "targets: it must be a string, bytes or a path, not int"),
        ({"targets": ["x", None]}, "targets: it must be a string, bytes or a path, not NoneType"),
        ({"targets": None}, "targets: it must be a string, bytes or a path, not NoneType"),
        ({"source": ["x"]}, "source: it must be a string, bytes or a path, not list"),
        ({"dest": 5}, "dest: it must be a string, bytes or a path, not int"),
        ({"on_event": 5}, "on_event: it must be a function"),
        ({"progress_interval_s": "1"}, "progress_interval_s: it must be a number"),
        ({"stop": True}, "stop: it must be a mrsync.Stop"),
        ({"exclude": {"a": 1}}, "exclude: it must be a string"),
        ({"exclude": [None]}, "exclude: it must be a string"),
    ],
)
def test_an_argument_of_a_wrong_type_is_one_sentence(source: Path, arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(mrsync.UsageError) as caught:
        mrsync.sync(**{"source": source, "targets": "x", "rsh": "local", **arguments})
    assert str(caught.value) == sentence


def test_targets_that_are_not_equal_are_incomplete(source: Path) -> None:
    (source.parent / "dest" / "y").write_text("this is no directory")
    result = sync(source)
    assert result.exit_status == mrsync.ExitStatus.PARTIAL
    assert [(target.host, target.state) for target in result.incomplete] == [("y", mrsync.TargetState.REFUSED)]


def test_changes_name_their_targets(source: Path) -> None:
    (source.parent / "dest" / "z").mkdir()
    (source.parent / "dest" / "z" / "b.tmp").write_text("old")
    result = sync(source, itemize_changes=True, exclude=["a"])
    found = {(line.path, tuple(result.targets[number].host for number in line.targets)) for line in result.changes}
    assert (b"b.tmp", ("x", "y")) in found
    assert (b"b.tmp", ("z",)) in found


def test_the_module_lists_its_names_and_has_them() -> None:
    assert dir(mrsync) == sorted(mrsync.__all__)
    for name in mrsync.__all__:
        assert getattr(mrsync, name) is not None
    stub = Path(mrsync.__file__).with_suffix(".pyi").read_text()
    assert set(re.findall(r" as (\w+)", stub)) == set(mrsync.__all__) - {"__version__"}


def test_events_hold_notices_and_progress(source: Path) -> None:
    events: list[Event] = []
    (source / "0").write_text("comes first")
    result = sync(source, rate="2M", on_event=events.append, progress_interval_s=0.1)
    assert result.exit_status == 0
    assert any(isinstance(event, mrsync.Notice) and event.text == "joined" for event in events)
    shown = [event for event in events if isinstance(event, mrsync.Snapshot) and event.phase == "casting"]
    assert shown
    assert {target.host for target in shown[-1].targets} == {"x", "y", "z"}
    assert {(event.entries, event.files_planned) for event in shown} == {(result.entries, result.files_planned)}
    assert 1 in {event.files_done for event in shown}  # the large one was under way


def test_a_run_is_stopped_from_a_callback(source: Path) -> None:
    stop = mrsync.Stop()

    def on_event(event: Event) -> None:
        if isinstance(event, mrsync.Snapshot) and event.bytes_sent:
            stop.request("enough")

    result = sync(source, rate="500k", on_event=on_event, progress_interval_s=0.05, stop=stop)
    assert (result.exit_status, result.failure) == (20, "enough")


def test_an_error_after_the_run_has_begun_leaves_a_result(source: Path) -> None:
    def on_event(event: Event) -> None:
        if isinstance(event, mrsync.Snapshot) and event.bytes_sent:
            raise mrsync.FileError("no room")

    result = sync(source, rate="500k", on_event=on_event, progress_interval_s=0.05)
    assert (result.exit_status, result.failure, result.has_begun) == (11, "no room", True)
    assert result.bytes_sent
    assert result.seconds.cast
    told = {(target.state, target.reason) for target in result.targets}
    assert told == {(mrsync.TargetState.LOST, "interrupted before anything was changed")}


def test_it_runs_in_any_thread_and_sets_no_signal_handler(source: Path) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    results: list[mrsync.Result] = []
    thread = threading.Thread(target=lambda: results.append(sync(source)))
    thread.start()
    thread.join()
    assert [result.exit_status for result in results] == [0]
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == before


def test_nothing_is_printed(source: Path, capfd: pytest.CaptureFixture[str]) -> None:
    sync(source)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"chek_sum": True}, "there is no option 'chek-sum'; did you mean 'checksum'?"),
        ({"checksum": "yes"}, "checksum: it must be true or false"),
        ({"ack_wait": "soon"}, "ack-wait"),
        ({"report": "x.json"}, "sync() has no option report"),
        ({"rate": "fast"}, "--rate"),
        ({"no_delete": "yes"}, "no_delete: it must be true or false"),
        ({"log_file": Path("log")}, "sync() has no option log_file"),
        ({"exclude": ["a", "\0"]}, "--exclude: a value cannot have a NUL character"),
        ({"files_from": b"a\0"}, "--files-from: a value cannot have a NUL character"),
        ({"backup_dir": "\ud800"}, "--backup-dir: a value cannot have a NUL character or half a surrogate pair"),
    ],
)
def test_a_wrong_option_is_one_sentence(source: Path, options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(mrsync.UsageError) as caught:
        sync(source, **options)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_source_that_is_not_there_raises() -> None:
    with pytest.raises(mrsync.MrsyncError, match="no/such"):
        mrsync.sync("/no/such/place", "x", rsh="local")


def test_the_module_runs_as_the_command() -> None:
    ran = subprocess.run([sys.executable, "-m", "mrsync", "--version"], capture_output=True, text=True)
    assert ran.returncode == 0
    assert mrsync.__version__ in ran.stdout


def test_importing_it_loads_nothing_of_the_interface() -> None:
    code = "import sys, mrsync; sys.exit('mrsync.cli' in sys.modules or 'mrsync.run' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'synk'"):
        mrsync.synk  # type: ignore[attr-defined]  # noqa: B018
