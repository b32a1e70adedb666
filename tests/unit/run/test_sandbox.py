"""What no sync needs is closed, in a process of its own as nothing opens it again."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import resource
import signal
import termios
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from mrsync.run.sandbox import Sandbox
from tests.unit.tree.breaking import in_a_process_that_is_killed as in_a_process

HAS_LANDLOCK = not any("Landlock" in name for name in Sandbox().missing())
needs_landlock = pytest.mark.skipif(not HAS_LANDLOCK, reason="needs Landlock, version 2")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
GET_DUMPABLE = 3  # of prctl(2)
SYS_PTRACE, SETUID, SYS_ADMIN, MKNOD, CHOWN, FOWNER = 19, 7, 21, 27, 0, 3


def of_this_process(name: str) -> str:
    """A line of its status; /proc/thread-self, as each thread has its own."""
    lines = Path("/proc/thread-self/status").read_text().splitlines()
    return next(line.split()[1] for line in lines if line.startswith(f"{name}:"))


def refused(action: Callable[[], object]) -> int:
    """The errno of what an action is refused with, 0 if it is not."""
    try:
        action()
    except OSError as error:
        return error.errno or 0
    return 0


def confined(folder: Path, *, makes_devices: bool = False, sets_xattrs: bool = False) -> None:
    fd = os.open(folder, os.O_PATH)
    sandbox = Sandbox()
    sandbox.enter()
    sandbox.confine([fd], makes_devices=makes_devices, sets_xattrs=sets_xattrs)


def test_no_core_is_dumped_and_no_right_is_gained() -> None:
    def check() -> None:
        Sandbox().enter()
        assert resource.getrlimit(resource.RLIMIT_CORE) == (0, 0)
        assert of_this_process("NoNewPrivs") == "1"
        assert ctypes.CDLL(None).prctl(GET_DUMPABLE) == 0

    in_a_process(check)


@needs_landlock
def test_no_program_is_run() -> None:
    def check() -> None:
        Sandbox().enter()
        assert refused(lambda: os.execv("/bin/false", ["false"])) == errno.EACCES  # else the process ends with status 1

    in_a_process(check)


@pytest.mark.skipif(Sandbox().landlock_version() < 6, reason="needs Landlock, version 6")
def test_no_signal_is_sent_and_no_device_is_called() -> None:
    """Root's catcher could else stop any process of root, and every user's those of that user."""
    others, device = os.getpid(), "/dev/null"

    def check() -> None:
        assert refused(lambda: os.kill(others, 0)) == 0
        Sandbox().enter()
        assert refused(lambda: os.kill(others, 0)) == errno.EPERM
        assert refused(lambda: os.kill(os.getpid(), 0)) == 0
        thread = threading.Thread(target=signal.pthread_kill, args=(threading.main_thread().ident, 0))
        thread.start()
        thread.join()
        with open(device, "rb") as file:
            assert refused(lambda: fcntl.ioctl(file, termios.TCGETS, bytes(60))) == errno.EACCES

    in_a_process(check)


@needs_root
def test_root_keeps_only_rights_about_files(tmp_path: Path) -> None:
    def check() -> None:
        confined(tmp_path)
        kept = int(of_this_process("CapEff"), 16)
        assert kept == int(of_this_process("CapPrm"), 16)
        assert not any(kept >> number & 1 for number in (SYS_PTRACE, SETUID, SYS_ADMIN, MKNOD))
        assert all(kept >> number & 1 for number in (CHOWN, FOWNER))
        assert refused(lambda: os.mknod(tmp_path / "null", 0o20666, os.makedev(1, 3))) == errno.EPERM

    def check_with_devices() -> None:
        confined(tmp_path, makes_devices=True, sets_xattrs=True)
        kept = int(of_this_process("CapEff"), 16)
        assert all(kept >> number & 1 for number in (SYS_ADMIN, MKNOD))

    in_a_process(check)
    in_a_process(check_with_devices)


@needs_landlock
def test_names_and_contents_are_changed_only_below(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    (inside / "a").mkdir(parents=True)
    (inside / "b").mkdir()
    outside.mkdir()
    (outside / "file").write_text("read me")

    def check() -> None:
        confined(inside)
        (inside / "a" / "file").write_text("written")
        (inside / "a" / "file").rename(inside / "b" / "file")
        os.truncate(inside / "b" / "file", 2)
        os.mkfifo(inside / "fifo")
        assert (outside / "file").read_text() == "read me"
        for action in (
            lambda: (outside / "file").write_text("changed"),
            lambda: os.truncate(outside / "file", 1),
            lambda: (outside / "file").unlink(),
            lambda: (outside / "new").mkdir(),
            lambda: (outside / "link").symlink_to("file"),
            lambda: (outside / "file").rename(inside / "file"),
            lambda: (inside / "b" / "file").rename(outside / "moved"),
        ):
            assert refused(action) in (errno.EACCES, errno.EXDEV)

    in_a_process(check)
    assert (outside / "file").read_text() == "read me"


def test_a_kernel_without_it_is_carried_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def check() -> None:
        monkeypatch.setattr(Sandbox, "_call", lambda self, *arguments: -1)
        confined(tmp_path)
        (tmp_path / "file").write_text("written")
        assert Sandbox().missing() == ["Landlock"]

    in_a_process(check)


def test_without_a_c_library_it_is_carried_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def check() -> None:
        monkeypatch.setattr("mrsync.run.sandbox.c_library", lambda *_: None)
        confined(tmp_path)
        (tmp_path / "file").write_text("written")
        assert Sandbox().missing() == ["all of it, as Python cannot call the C library"]

    in_a_process(check)


@needs_landlock
def test_a_rule_that_cannot_be_added_is_reported(tmp_path: Path) -> None:
    """A descriptor that is no directory makes no rule."""

    def check() -> None:
        sandbox = Sandbox()
        sandbox.enter()
        assert sandbox.problems == []
        reading, _ = os.pipe()
        sandbox.confine([reading], makes_devices=False, sets_xattrs=False)
        assert sandbox.problems == [f"cannot add a Landlock rule: {os.strerror(errno.EBADFD)}"]
        (tmp_path / "file").touch()  # nothing is restricted by half

    in_a_process(check)
