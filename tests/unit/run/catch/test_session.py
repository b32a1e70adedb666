"""The target's tree: what it tells the caster of what it was given, with a real core, worker and directory."""

from __future__ import annotations

import errno
import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from mrsync.protocol.catcher import Catcher
from mrsync.protocol.core.events import CommitGranted, FinishGranted, ObjectHeld, SessionEnded, Withdrawn
from mrsync.protocol.core.log import LogReader
from mrsync.protocol.core.sends import SendMessage
from mrsync.protocol.receiving.catcher_config import CatcherConfig
from mrsync.run.bootstrap import WARNING
from mrsync.run.catch.jobs import TreeJobs
from mrsync.run.catch.session import TreeSession
from mrsync.run.sandbox import Sandbox
from mrsync.run.settings import CatchSettings
from mrsync.transport.loop import Loop
from mrsync.tree.destination.root import claim_root
from mrsync.tree.model.failure import Failure
from mrsync.tree.model.policy import Policy
from mrsync.tree.source.planning import build_plan
from mrsync.tree.source.scan import scan
from mrsync.tree.source.scanner import TICK_NS
from mrsync.wire.geometry import Geometry
from mrsync.wire.messages import Ending, ObjectKind, Report, Welcome
from mrsync.wire.records import ComparedRecord, ErrorRecord, FailedRecord, LogRecord, NeedsRecord, ResultRecord
from tests.unit.protocol.builders import HMAC, status
from tests.unit.run.test_sandbox import needs_landlock, refused
from tests.unit.tree.breaking import in_a_process_that_is_killed


class Host:
    """A target that has joined, syncing into a directory; the source has a file "a" of 10 bytes and a directory."""

    def __init__(self, path: Path, *, is_dry_run: bool = False, sandbox: Sandbox | None = None) -> None:
        self.source, self.dest = path / "source", path / "dest"
        (self.source / "d").mkdir(parents=True)
        (self.source / "a").write_bytes(b"0123456789")
        self.loop = Loop()
        config = CatcherConfig(0, 100, "n1", "1", HMAC, buffer_bytes=8 << 20, retained_pages=512)
        self.catcher = Catcher(config, self.loop.now())
        self.catcher.receive_message(status(1), 7, self.loop.now())
        self.catcher.receive_message(Welcome(100, 1, 0, 0, 1, 1), 7, self.loop.now())
        settings = CatchSettings(0, "n1", os.fsencode(self.dest), b"", is_dry_run=is_dry_run)
        self.session = TreeSession(settings, self.catcher, self.loop, sandbox)
        self.log = LogReader()

    def take_manifest(self, data: bytes | None = None) -> None:
        manifest = scan(os.fsencode(self.source)).manifest.encode() if data is None else data
        self.session.write(ObjectKind.MANIFEST, [(1, manifest[20:], b""), (0, manifest[:20], b"")])
        self.session.on_event(ObjectHeld(ObjectKind.MANIFEST))

    def told(self) -> list[LogRecord]:
        """What the log says when the worker has done everything."""
        self.loop.work(lambda: None, lambda _: done.append(True))
        done: list[bool] = []
        while not done:
            self.loop.wait(10)
        self.catcher.handle_timeout(self.loop.now() + 10)
        messages = [send.message for send in self.catcher.sends(self.loop.now()) if isinstance(send, SendMessage)]
        reports = [message for message in messages if isinstance(message, Report)]
        return [record for report in reports for record in self.log.feed(report.log_offset, report.log_bytes)]


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    made = Host(tmp_path)
    yield made
    made.session.clean_up()
    made.loop.close()


@pytest.fixture
def dry_host(tmp_path: Path) -> Iterator[Host]:
    made = Host(tmp_path, is_dry_run=True)
    yield made
    made.session.clean_up()
    made.loop.close()


def test_needed_entries_of_a_manifest_are_reported(host: Host) -> None:
    host.take_manifest()
    needs, compared = host.told()
    assert isinstance(needs, NeedsRecord)
    assert needs.ranges in (((1, 2),), ((2, 3),))
    assert isinstance(compared, ComparedRecord)
    assert (compared.files_needed, compared.bytes_needed) == (1, 10)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (None, "Input/output error"),
        (5, "Input/output error"),  # os.listdir() of a descriptor names it so
        (b"d\x1b", r"Input/output error: d\x1b"),
        ("d", "Input/output error: d"),
    ],
)
def test_an_error_of_the_system_in_a_job_is_a_sentence(
    host: Host, name: object, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO), name)

    monkeypatch.setattr(TreeJobs, "compare", fail)
    host.take_manifest()
    (record,) = host.told()
    assert isinstance(record, FailedRecord)
    assert record.reason == sentence


def test_a_manifest_that_makes_no_sense_is_its_failure(host: Host) -> None:
    host.take_manifest(b"this is no manifest at all")
    (record,) = host.told()
    assert isinstance(record, FailedRecord)
    assert "manifest" in record.reason


def test_a_destination_that_cannot_be_is_its_failure(host: Host) -> None:
    host.dest.write_bytes(b"a file")
    host.take_manifest()
    (record,) = host.told()
    assert isinstance(record, FailedRecord)
    assert os.fsdecode(host.dest) in record.reason


def test_without_contents_it_finishes_directories_and_reports_the_result(host: Host) -> None:
    (host.source / "a").unlink()
    host.take_manifest()
    host.told()
    host.session.on_event(FinishGranted())
    records = host.told()
    assert (host.dest / "d").is_dir()
    assert [type(record) for record in records] == [ResultRecord]


def take_plan(host: Host) -> None:
    host.take_manifest()
    host.told()
    found = scan(os.fsencode(host.source))
    plan = build_plan(found, [(entry, entry + 1) for entry in range(3) if found.manifest.has_contents(entry)])
    host.session.write(ObjectKind.PLAN, [(0, plan.encode(), b"")])
    host.session.on_event(ObjectHeld(ObjectKind.PLAN))
    host.told()


def test_file_that_no_target_committed_is_reported(host: Host) -> None:
    take_plan(host)
    host.session.on_event(FinishGranted())  # without any contents
    missed, result = host.told()[-2:]
    assert missed == ErrorRecord(errno.ENODATA, b"a", "replace")
    assert isinstance(result, ResultRecord)
    assert result.errors == 1


@pytest.mark.parametrize("session", ["0123456789abcdef", "fedcba9876543210"])
@pytest.mark.parametrize("has_journal", [True, False])
@pytest.mark.parametrize("is_first", [True, False])
def test_another_run_is_named_where_something_fails(
    host: Host, capfd: pytest.CaptureFixture[str], session: str, has_journal: bool, is_first: bool
) -> None:
    """It has no journal if the root is closed to it. One that came first may be over before something fails."""
    host.dest.mkdir()
    journal = (host.dest / f".mrsync-{session}.journal").open("wb") if has_journal else None
    if journal is not None:
        fcntl.flock(journal, fcntl.LOCK_EX)
    if not is_first:
        take_plan(host)
    fd = os.open(host.dest, os.O_RDONLY)
    assert claim_root(fd, session.encode())
    if is_first:
        take_plan(host)
        os.close(fd)
    assert capfd.readouterr().err == ""
    host.session.on_event(FinishGranted())  # without any contents
    host.told()
    if not is_first:
        os.close(fd)
    if journal is not None:
        journal.close()
    other = f"another run (of user {os.geteuid()})" if has_journal else "another run"
    assert capfd.readouterr().err == (
        f"{WARNING.decode()}{other} writes to {host.dest}, too: it may be why something fails here\n"
    )


def test_no_other_run_is_named_where_there_is_none(host: Host, capfd: pytest.CaptureFixture[str]) -> None:
    take_plan(host)
    host.session.on_event(FinishGranted())
    host.told()
    assert capfd.readouterr().err == ""


def test_a_dry_run_makes_nothing(dry_host: Host) -> None:
    dry_host.take_manifest()
    needs, compared = dry_host.told()
    assert isinstance(needs, NeedsRecord)
    assert isinstance(compared, ComparedRecord)
    assert (compared.files_needed, compared.bytes_needed) == (1, 10)
    dry_host.session.on_event(FinishGranted())
    assert dry_host.told() == [ResultRecord(0, 0, 0, 0, 0, 0)]
    assert not dry_host.dest.exists()


def test_packets_after_the_end_change_nothing(host: Host) -> None:
    end = SessionEnded(Ending.ABORTED, "a signal")
    host.session.on_event(end)
    host.take_manifest()
    assert host.told() == []
    assert host.session.ending is end
    assert not host.dest.exists()


@pytest.fixture
def durable_host(host: Host, monkeypatch: pytest.MonkeyPatch) -> tuple[Host, list[int]]:
    """With two files staged; and a list that hears of every flush of a disk."""
    flushes: list[int] = []
    monkeypatch.setattr("mrsync.tree.staging.durability.flush_file_system", flushes.append)
    (host.source / "b").write_bytes(b"b")
    stage(host, Policy(durable=True))
    return host, flushes


def stage(host: Host, policy: Policy, size: int | None = None) -> bytes:
    """Let a target stage all files of its source, or their first `size` bytes. Return their contents."""
    found = scan(os.fsencode(host.source), policy)
    host.take_manifest(found.manifest.encode())
    host.told()
    entries = [entry for entry in range(len(found.manifest)) if found.manifest.has_contents(entry)]
    plan = build_plan(found, [(entry, entry + 1) for entry in entries])
    host.session.write(ObjectKind.PLAN, [(0, plan.encode(), b"")])
    host.session.on_event(ObjectHeld(ObjectKind.PLAN))
    host.told()
    contents = b"".join((host.source / os.fsdecode(found.manifest.path(entry))).read_bytes() for entry in entries)
    host.session.write(ObjectKind.CONTENTS, [(0, contents[:size], b"")])
    return contents


def test_pages_after_the_withdrawal_leave_staged_files_alone(host: Host) -> None:
    size = Geometry(1, 64).page_bytes
    (host.source / "a").write_bytes(bytes(3 * size))
    time.sleep(1.1 * TICK_NS / 1e9)  # else the file is not to be resumed
    contents = stage(host, Policy(commit="job"), size)
    host.session.on_event(Withdrawn())
    host.told()
    host.session.write(ObjectKind.CONTENTS, [(1, contents[size : 2 * size], b"")])
    host.session.write(ObjectKind.CONTENTS, [(2, contents[2 * size :], b"")])
    assert not [record for record in host.told() if isinstance(record, ErrorRecord)]
    host.session.clean_up()
    (staged,) = host.dest.glob(".mrsync-*-0")
    assert staged.read_bytes() == bytes(size)


@pytest.mark.parametrize("moment", range(4))
def test_a_manifest_that_arrives_while_all_is_withdrawn_is_no_failure(host: Host, moment: int) -> None:
    manifest = scan(os.fsencode(host.source)).manifest.encode()
    steps: list[Callable[[], None]] = [
        lambda: host.session.write(ObjectKind.MANIFEST, [(0, manifest[:20], b"")]),
        lambda: host.session.write(ObjectKind.MANIFEST, [(1, manifest[20:], b"")]),
        lambda: host.session.on_event(ObjectHeld(ObjectKind.MANIFEST)),
    ]
    steps.insert(moment, lambda: host.session.on_event(Withdrawn()))
    for step in steps:
        step()
    records = host.told()
    assert [record for record in records if isinstance(record, FailedRecord)] == []
    assert [record for record in records if isinstance(record, ResultRecord)] == records[-1:]


def test_commits_that_are_granted_during_one_share_the_next(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "bc":
        (host.source / name).write_text(name)
    stage(host, Policy())
    may_go_on, sizes, commit = threading.Event(), list[int](), TreeJobs.commit

    def counted(jobs: TreeJobs, granted: Sequence[CommitGranted]) -> list[Failure]:
        sizes.append(len(granted))
        return commit(jobs, granted)

    monkeypatch.setattr(TreeJobs, "commit", counted)
    host.loop.work(lambda: may_go_on.wait(60), lambda _: None)  # so that the first one waits for the worker
    for file in range(3):
        host.session.on_event(CommitGranted(file, file + 1, ()))
    may_go_on.set()
    host.told()
    while not (host.dest / "c").exists():
        host.loop.wait(10)
    assert sizes == [1, 2]
    assert all((host.dest / name).exists() for name in "abc")


def test_a_short_commit_is_done_at_once(host: Host) -> None:
    stage(host, Policy())
    host.session.on_event(CommitGranted(0, 1, ()))
    assert (host.dest / "a").read_bytes() == b"0123456789"


def test_many_files_are_committed_a_few_at_a_time(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """With `--commit file` each part is short enough for the loop."""
    for name in "bce":
        (host.source / name).write_text(name)
    parts, commit = list[tuple[int, int, bool]](), TreeJobs.commit

    def noted(jobs: TreeJobs, granted: Sequence[CommitGranted]) -> list[Failure]:
        parts.append((granted[0].first, granted[-1].end, threading.current_thread() is threading.main_thread()))
        return commit(jobs, granted)

    monkeypatch.setattr(TreeJobs, "commit", noted)
    monkeypatch.setattr("mrsync.run.catch.jobs.SHORT_FILES", 2)
    stage(host, Policy())
    host.session.on_event(CommitGranted(0, 3, ((2, 3),)))
    host.session.on_event(CommitGranted(3, 4, ()))
    while not (host.dest / "e").exists():
        host.loop.wait(10)
    assert parts == [(0, 2, True), (2, 4, True)]
    assert [(host.dest / name).exists() for name in "abc"] == [True, True, False]


@pytest.mark.parametrize("what", ["flushes", "backups", "a directory to clear away", "--commit job"])
def test_the_worker_does_a_commit_that_may_take_long(host: Host, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    is_here, commit = list[bool](), TreeJobs.commit

    def noted(jobs: TreeJobs, granted: Sequence[CommitGranted]) -> list[Failure]:
        is_here.append(threading.current_thread() is threading.main_thread())
        return commit(jobs, granted)

    monkeypatch.setattr(TreeJobs, "commit", noted)
    if what == "a directory to clear away":
        (host.dest / "a").mkdir(parents=True)
    if what == "--commit job":
        monkeypatch.setattr("mrsync.run.catch.jobs.SHORT_FILES", 0)
    rule = "job" if what == "--commit job" else "file"
    stage(host, Policy(durable=what == "flushes", backup=what == "backups", suffix="~", commit=rule))
    host.session.on_event(CommitGranted(0, 1, ()))
    host.told()
    assert is_here == [False]
    assert (host.dest / "a").read_bytes() == b"0123456789"


def test_commits_share_the_flushes_of_a_disk(
    durable_host: tuple[Host, list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    host, flushes = durable_host
    monkeypatch.setattr("mrsync.run.catch.session.GATHER_S", 3600.0)
    host.session.on_event(CommitGranted(0, 1, ()))
    host.told()
    assert not (host.dest / "a").exists()
    host.session.on_event(CommitGranted(1, 2, ()))
    host.told()
    assert (host.dest / "a").exists()
    assert (host.dest / "b").exists()
    assert len(flushes) == 2


def test_a_commit_does_not_wait_for_ever_for_another_one(
    durable_host: tuple[Host, list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    host, flushes = durable_host
    monkeypatch.setattr("mrsync.run.catch.session.GATHER_S", 0.01)
    host.session.on_event(CommitGranted(0, 1, ()))
    while not (host.dest / "a").exists():
        host.loop.wait(10)
    host.told()
    assert len(flushes) == 2


@needs_landlock
def test_both_threads_change_nothing_but_the_destination(tmp_path: Path) -> None:
    def write_outside() -> int:
        return refused((tmp_path / "outside").touch)

    def check() -> None:
        sandbox = Sandbox()
        sandbox.enter()
        host = Host(tmp_path, sandbox=sandbox)
        host.take_manifest()
        host.told()
        outcomes = [write_outside()]
        host.loop.work(write_outside, outcomes.append)
        host.told()
        assert outcomes == [errno.EACCES, errno.EACCES]
        host.session.on_event(FinishGranted())
        host.told()
        assert (host.dest / "d").is_dir()

    in_a_process_that_is_killed(check)


def test_the_disk_begins_while_contents_arrive(
    durable_host: tuple[Host, list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What fails then fails the commit: a file system tells each error only once."""
    host, flushes = durable_host
    begun = threading.Event()

    def fail(fd: int) -> None:
        begun.set()
        if len(flushes) == 0:
            flushes.append(fd)
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr("mrsync.tree.staging.durability.flush_file_system", fail)
    monkeypatch.setattr("mrsync.tree.staging.durability.AHEAD_BYTES", 1)
    host.session.write(ObjectKind.CONTENTS, [(0, b"0123456789b", b"")])
    assert begun.wait(60)
    host.session.on_event(CommitGranted(0, 2, ()))
    told = host.told()
    assert [record.errno for record in told if isinstance(record, ErrorRecord)] == [errno.EIO]
    assert not (host.dest / "a").exists()
