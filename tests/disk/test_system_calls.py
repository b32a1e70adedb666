"""Every system call of a target goes wrong once: nothing is torn, nothing outside is touched, and the end is honest.

Seconds are enough for a part of the calls, drawn from a seed that is printed. MRSYNC_CALLS=N draws N for each test,
MRSYNC_ALL_CALLS=1 has all of them.
"""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mrsync.tree.model.policy import Policy
from mrsync.wire.geometry import Geometry
from tests.support.one_target import OneTarget
from tests.support.system_calls import Event, SystemCalls
from tests.trees import differences

PART = int(os.environ.get("MRSYNC_CALLS") or 2)  # calls for each test, where not all are wanted
KILLED = 9
# The first ones are always tried, and one of the others is drawn. ENOENT is not among them: it tells that somebody has
# removed an entry, which is no fault.
ERRORS = (errno.ENOSPC, errno.EIO, errno.EINTR, errno.EMFILE)
OTHER_ERRORS = (
    *(errno.ESTALE, errno.EACCES, errno.EPERM, errno.EROFS, errno.EDQUOT, errno.ELOOP, errno.ENOTEMPTY, errno.EBUSY),
    *(errno.EXDEV, errno.ENAMETOOLONG, errno.ENOMEM, errno.EINVAL, errno.EOPNOTSUPP, errno.ETXTBSY, errno.EMLINK),
    *(errno.EFBIG, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.EAGAIN, errno.ENODATA, errno.ERANGE, errno.ENOSYS),
    *(errno.ENXIO, errno.EUCLEAN, errno.ETIMEDOUT),
)
AWKWARD = Policy(specials=True, delta=True, backup=True, suffix="~")
POLICIES = {
    "backups beside": AWKWARD,
    "backups elsewhere, all or nothing": AWKWARD._replace(backup_dir="../backups", suffix="", commit="job"),
    "staged elsewhere": Policy(specials=True, delta=True, xattrs=True, temp_dir="../staging"),
    "in place": Policy(specials=True, inplace=True, itemizes=True, makes_parents=True),
    "in place, with holes": Policy(specials=True, inplace=True, sparse=True),
    "from elsewhere": Policy(specials=True, checksum=True, link_dests=("../earlier",)),
    "copied, durable": Policy(specials=True, copy_dests=("../earlier",), durable=True, preallocates=True, sparse=True),
    "compared, out of the cache": Policy(specials=True, compare_dests=("../none",), drops_cache=True, itemizes=True),
    "deleted first, all or nothing": Policy(
        specials=True, remove_first=True, commit="job", durable=True, guards_deletions=True, spares_mounts=True
    ),
    "nothing kept": Policy(
        specials=True, delta=True, partial=False, keeps_dir_links=True, ignore_times=True, acls=True
    ),
}
PLACES = ("dest", "backups", "staging", "earlier")  # where somebody else may rename things
SECRET = b"not yours"
OUTSIDE = (
    "a/changed",
    "a/new",
    "a/large",
    "victim",
    "below",
    "er/est/file",
    "file",
    "extra",
    "changed",
    "with/all",
    "all",
)
ALL = bool(os.environ.get("MRSYNC_ALL_CALLS"))
SEED = int(os.environ.get("MRSYNC_SEED") or time.time_ns() % 1_000_000)


class Scene:
    """A source, and at `dest` a target that is awkward in all ways, with what a broken run left there.

    outside: a directory with the same names, that must stay as it is.
    """

    def __init__(self, folder: Path, policy: Policy) -> None:
        self.folder = folder
        self.policy = policy
        self.geometry = Geometry(504, 40) if policy.inplace and policy.sparse else Geometry(504, 2)  # large holes
        self.source, self.dest, self.outside = folder / "source", folder / "dest", folder / "outside"
        chance = random.Random(11)
        self.large = chance.randbytes(9000)
        for path, data in {
            "a/new": chance.randbytes(2500),
            "a/changed": chance.randbytes(1500),
            "a/large": self.large[:4000] + b"in the middle" + self.large[4013:],
            "a/same": b"the same",
            "a/empty": b"",
            "was a directory": b"a file now",
            "was a file/below": b"in a directory now",
            "deep/er/est/file": chance.randbytes(1200),
            "odd \xff name": b"odd",
        }.items():
            self._write(self.source, path, data)
        with (self.source / "a" / "sparse").open("wb") as file:
            file.seek(50_000)
            file.write(b"end")
        os.link(self.source / "a" / "changed", self.source / "second name")
        (self.source / "link").symlink_to("../outside/victim")
        os.mkfifo(self.source / "fifo")
        time.sleep(0.02)  # so that files are not thought to change just now

    @staticmethod
    def _write(folder: Path, path: str, data: bytes) -> None:
        place = Path(os.fsdecode(os.path.join(os.fsencode(folder), path.encode("latin-1"))))
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)

    def set_up(self) -> None:
        """The target as it was, and a run that breaks after some pages."""
        for folder in (self.dest, self.outside, *(self.folder / name for name in ("backups", "staging", "earlier"))):
            shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.source / "a", self.folder / "earlier" / "a")
        (self.folder / "staging").mkdir()
        for path, data in {
            "a/changed": b"old" * 500,
            "a/large": self.large,
            "a/same": b"the same",
            "a/extra": b"goes",
            "was a directory/file": b"goes, too",
            "was a file": b"a file",
            "gone/with/all": b"in it",
            "gone/with/in/a/deep/tree": b"in it",
            "link": b"was a file",
        }.items():
            self._write(self.dest, path, data)
        if self.policy.inplace and self.policy.sparse:
            self._write(self.dest, "a/sparse", self.large * 6)  # in which holes are punched
        same = (self.source / "a" / "same").stat()
        os.utime(self.dest / "a" / "same", ns=(same.st_atime_ns, same.st_mtime_ns))
        for path in OUTSIDE:
            self._write(self.outside, path, SECRET)
        self._write(self.outside, "in/a/deep/tree", SECRET)
        (self.dest / "a").chmod(0o777)  # others may rename what is in there
        pages = 6 * 1008 // self.geometry.page_bytes
        OneTarget(self.source, self.dest, self.policy, session=1, stops_after=pages, geometry=self.geometry).run()

    def contents(self, folder: Path) -> dict[bytes, bytes]:
        found = {}
        for place, _, names in os.walk(os.fsencode(folder)):
            for name in names:
                path = os.path.join(place, name)
                if os.path.isfile(path) and not os.path.islink(path):
                    found[os.path.relpath(path, os.fsencode(folder))] = Path(os.fsdecode(path)).read_bytes()
        return found

    def torn(self, old: dict[bytes, bytes]) -> list[bytes]:
        """Final names that lead to neither the old nor the new file, nor to one of an attacker."""
        new = self.contents(self.source)
        wrong = []
        for path, data in self.contents(self.dest).items():
            right = [tree[name] for tree in (old, new) for name in {path, path.rstrip(b"~")} if name in tree]
            if self.policy.inplace and len(data) not in map(len, right):
                continue  # its size says so
            if not os.path.basename(path).startswith(b".mrsync-") and right and data not in right:
                wrong.append(path)
        return wrong

    def leaked(self) -> list[bytes]:
        """Names below which somebody can read what they could not."""
        folders = [self.folder / name for name in PLACES if (self.folder / name).exists()]
        return [path for folder in folders for path, data in self.contents(folder).items() if SECRET in data]

    def outer_state(self) -> list[tuple[Any, ...]]:
        found = []
        for path in [self.outside, *sorted(self.outside.rglob("*"))]:
            status = path.lstat()
            data = path.read_bytes() if path.is_file() else b""
            found.append((path, status.st_mode, status.st_uid, status.st_mtime_ns, status.st_nlink, data))
        return found

    def unequal(self) -> list[str]:
        """What differs from the source, but for backups and what a run could not remove."""
        kept = (".mrsync-", "~", "extra: b'gone") if self.policy.suffix else (".mrsync-",)
        return [line for line in differences(self.source, self.dest) if not any(word in line for word in kept)]


def in_a_child(action: Callable[[], object]) -> tuple[int, Any]:
    """Exit status, and what the action returned; its traceback where the status is 1."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        status, told = 0, ""
        try:
            told = json.dumps(action())
        except BaseException:
            status, told = 1, json.dumps(traceback.format_exc())
        os.write(writer, told.encode()[:60_000])
        os._exit(status)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        told_bytes = pipe.read()
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return status, json.loads(told_bytes) if told_bytes else None


def hasten(patch: pytest.MonkeyPatch) -> None:
    """Small files are enough, and nothing waits for a clock."""
    patch.setattr("mrsync.tree.source.scanner.TICK_NS", 1)
    patch.setattr("mrsync.tree.staging.journal.FLUSH_S", 0.0)
    patch.setattr("mrsync.tree.delta.basis.BYTES_MIN", 4000)


@pytest.fixture(params=POLICIES)
def scene(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    hasten(monkeypatch)
    return Scene(tmp_path, POLICIES[request.param])


def run(scene: Scene, k: int = 0, event: Event = lambda name, arguments, more: None) -> tuple[int, bool, str]:
    """How many calls there were, whether the target says that all is equal, and the call that the event met."""
    met = []

    def note(name: str, arguments: tuple[Any, ...], more: dict[str, Any]) -> None:
        met.append(f"{name}{arguments}")
        event(name, arguments, more)

    calls = SystemCalls(k, note)
    target = session(scene, calls)
    return calls.count, target.is_clean, "".join(met)


def session(scene: Scene, calls: SystemCalls) -> OneTarget:
    """Run a session whose calls are watched."""
    with calls.watching():
        return OneTarget(
            scene.source,
            scene.dest,
            scene.policy,
            session=2,
            as_master=calls.paused,
            keeps_record=True,
            geometry=scene.geometry,
        ).run()


def chosen(scene: Scene) -> list[int]:
    """The calls that go wrong, of all of a run that goes well."""
    for _ in range(2):  # at first modules are loaded
        scene.set_up()
        count, is_clean, _ = run(scene)
    assert is_clean
    assert scene.unequal() == []
    print(f"MRSYNC_SEED={SEED}: of {count} calls", file=sys.stderr)
    return (
        list(range(1, count + 1)) if ALL else sorted(random.Random(SEED).sample(range(1, count + 1), min(PART, count)))
    )


def check(scene: Scene, k: int, event: Event, *, is_fatal: bool = False, is_swap: bool = False) -> Iterator[str]:
    """Yield what is wrong with a run at whose k-th call that happens, and with the one after it."""
    scene.set_up()
    old, outside = scene.contents(scene.dest), scene.outer_state()
    status, told = in_a_child(lambda: run(scene, k, event))
    if status == 0 and not told[2]:
        return  # it had fewer calls
    if status != (KILLED if is_fatal else 0):
        yield f"ends with status {status}, {told}"
        return
    call = "" if is_fatal else told[2]
    for path in scene.torn(old):
        yield f"{path!r} is torn, {call}"
    if scene.outer_state() != outside:
        yield f"something outside was touched, {call}"
    for path in scene.leaked():
        yield f"{path!r} has contents from outside, {call}"
    if not is_fatal and not is_swap and told[1] and scene.unequal():
        yield f"is not equal, and says it is: {scene.unequal()}, {call}"


def check_the_next_run(scene: Scene) -> Iterator[str]:
    status, is_clean = in_a_child(
        lambda: OneTarget(scene.source, scene.dest, scene.policy, session=3, geometry=scene.geometry).run().is_clean
    )
    if status or not is_clean:
        yield f"the next run ends with {status}, {is_clean}"
    for line in scene.unequal():
        yield f"after the next run: {line}"
    if list(scene.dest.rglob(".mrsync-*")):
        yield f"after the next run there is {list(scene.dest.rglob('.mrsync-*'))}"


def kill(name: str, arguments: tuple[Any, ...], more: dict[str, Any]) -> None:
    os._exit(KILLED)


def test_killed_at_any_call(scene: Scene) -> None:
    wrong = []
    for k in chosen(scene):
        wrong += [f"call {k}: {text}" for text in check(scene, k, kill, is_fatal=True)]
        wrong += [f"call {k}: {text}" for text in check_the_next_run(scene)]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("number", [*ERRORS, 0], ids=[*map(errno.errorcode.__getitem__, ERRORS), "another"])
def test_any_call_fails(scene: Scene, number: int) -> None:
    number = number or random.Random(SEED).choice(OTHER_ERRORS)
    print(errno.errorcode[number], file=sys.stderr)

    def fail(name: str, arguments: tuple[Any, ...], more: dict[str, Any]) -> None:
        if number == errno.ENXIO and os.SEEK_DATA in arguments[2:]:
            return  # it says that there are no data, which is no fault
        raise OSError(number, os.strerror(number))

    wrong = []
    for k in chosen(scene):
        wrong += [f"call {k}: {text}" for text in check(scene, k, fail)]
        wrong += [f"call {k}: {text}" for text in check_the_next_run(scene)]
    assert not wrong, "\n".join(wrong)


def folder_of(arguments: tuple[Any, ...], more: dict[str, Any]) -> Path | None:
    """Return the directory that a call works in, as /proc has it."""
    fd = next((more[key] for key in ("dst_dir_fd", "dir_fd") if more.get(key) is not None), None)
    fd = arguments[0] if fd is None and arguments and isinstance(arguments[0], int) else fd
    if fd is None:
        return None
    path = Path(os.readlink(f"/proc/self/fd/{fd}"))
    return path if path.is_dir() else path.parent


def is_theirs(scene: Scene, path: Path) -> bool:
    """Return whether somebody may rename this: it is below the destination, or in a directory that options name."""
    return any(scene.folder / name in path.parents for name in PLACES)


def put_link(path: Path, target: Path) -> None:
    if os.path.lexists(path):
        path.rename(path.with_name(path.name + ".stolen"))
    path.symlink_to(target)


def swap_parent(scene: Scene, arguments: tuple[Any, ...], more: dict[str, Any]) -> None:
    """A directory that the call works in is a link to somewhere else now."""
    path = folder_of(arguments, more)
    if path is not None and is_theirs(scene, path) and path.exists():  # it may have been removed
        put_link(path, scene.outside)


def swap_grandparent(scene: Scene, arguments: tuple[Any, ...], more: dict[str, Any]) -> None:
    """The directory above is a link to somewhere else now."""
    path = folder_of(arguments, more)
    if path is not None and is_theirs(scene, path.parent) and path.parent.exists():
        put_link(path.parent, scene.outside)


def swap_name(scene: Scene, arguments: tuple[Any, ...], more: dict[str, Any], target: str = "victim") -> None:
    """The last name that the call is about is a link to a file somewhere else now."""
    names = [argument for argument in arguments if isinstance(argument, bytes)]
    folder = folder_of(arguments, more)
    if not names or folder is None or names[-1] in (b".", b"..", b"") or not folder.exists():
        return
    if b"/" in names[-1] or b"\0" in names[-1]:
        return  # a path that an option names, or no name
    path = folder / os.fsdecode(names[-1])
    if is_theirs(scene, path):
        put_link(path, scene.outside / target)


def swap_name_for_a_directory(scene: Scene, arguments: tuple[Any, ...], more: dict[str, Any]) -> None:
    """The last name that the call is about is a link to a directory somewhere else now."""
    swap_name(scene, arguments, more, "")


SWAPS = (swap_parent, swap_grandparent, swap_name, swap_name_for_a_directory)


@pytest.mark.parametrize("swap", SWAPS)
def test_somebody_is_quicker_at_any_call(
    scene: Scene, swap: Callable[[Scene, tuple[Any, ...], dict[str, Any]], None]
) -> None:
    def event(name: str, arguments: tuple[Any, ...], more: dict[str, Any]) -> None:
        swap(scene, arguments, more)

    wrong = [f"call {k}: {text}" for k in chosen(scene) for text in check(scene, k, event, is_swap=True)]
    assert not wrong, "\n".join(wrong)
