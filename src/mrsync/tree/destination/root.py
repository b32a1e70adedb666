"""The root of a destination: open or make it, or say why it cannot be used, in a dry run, too."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import struct
from contextlib import suppress

from mrsync.errors import FileError
from mrsync.files import CAUTIOUS, NAMED, close_quietly
from mrsync.tree.fs.temporary_names import journal_name
from mrsync.tree.model.failure import printable

_FLOCK = struct.Struct("hhqqi0q")  # struct flock: type, whence, start, length, process
_FLOCK_BYTES = 1 << 63  # that can be locked, whatever the size
_NO_PARENT = "cannot make the destination {}: its parent directory does not exist; --mkpath makes it"
_NO_GOAL = "the destination {} is a soft link to something that does not exist"
_NO_PARENTS = "cannot make the destination {}: {} is not a directory"


def open_root(path: bytes, *, makes_parents: bool, is_only_read: bool) -> tuple[int, bool]:
    """Return the descriptor of the destination's root, and whether it was created. Raise FileError.

    path: absolute or relative. makes_parents: also make missing directories above it (--mkpath). is_only_read: make
    nothing, and accept a read-only file system. A root that is closed to this user is for `check_reach`.
    """
    shown = printable(path)
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    is_new = False
    try:
        try:
            fd = os.open(path, flags)
        except FileNotFoundError:
            if is_only_read:
                raise
            if makes_parents:
                _make_parents(_parent(path))
            is_new = _make(path)
            fd = os.open(path, flags)
    except FileNotFoundError as error:
        raise FileError(_NO_PARENT.format(shown)) from error
    except FileExistsError as error:
        raise FileError(_NO_GOAL.format(shown)) from error
    except NotADirectoryError as error:
        if (obstacle := deepest(path)) != path.rstrip(b"/"):
            raise FileError(_NO_PARENTS.format(shown, printable(obstacle))) from error
        raise FileError(f"the destination {shown} is not a directory") from error
    except OSError as error:
        raise FileError(f"cannot use the destination {shown}: {why_refused(error.errno or 0)}") from error
    if not is_only_read and os.fstatvfs(fd).f_flag & os.ST_RDONLY:
        os.close(fd)
        raise refused_root(path, errno.EROFS)
    return fd, is_new


def refused_root(path: bytes, reason: int) -> FileError:
    """Return the error that nothing can be written to a destination. reason: an errno."""
    return FileError(f"cannot write to the destination {printable(path)}: {why_refused(reason)}")


def is_closed(fd: int) -> bool:
    """Return whether a directory is somebody else's, and this user may not change names in it."""
    is_ours = os.fstat(fd).st_uid == os.geteuid()
    return not is_ours and not os.access(b".", os.W_OK | os.X_OK, dir_fd=fd, effective_ids=True)


def claim_root(fd: int, tag: bytes) -> bool:
    """Claim a root for this target of the session with this tag. Return False if another one of it is there.

    A journal says so as well, but there can be none in a closed root, and others cannot read it. So each target locks
    the byte of the directory that has the session's number: a read lock of the open file description, for which no
    right to write is needed. All users of the host see it, under whatever mount, until fd is closed. If two targets
    come at the same moment, both may learn of each other, but at least one does.
    """
    byte = int(tag, 16) % _FLOCK_BYTES
    try:
        _lock(fd, fcntl.F_OFD_SETLK, fcntl.F_RDLCK, byte, 1)
        kind, _, start, length, _ = _lock(fd, fcntl.F_OFD_GETLK, fcntl.F_WRLCK, byte, 1)
    except OSError:  # not every file system has locks
        return True
    return kind == fcntl.F_UNLCK or (start, length) != (byte, 1)  # a lock of more bytes is no claim


def other_run(fd: int) -> str:
    """Return "another run" if one has claimed this root, with its owner if its journal names one; else ""."""
    try:
        kind, _, byte, _, _ = _lock(fd, fcntl.F_OFD_GETLK, fcntl.F_WRLCK, 0, 0)  # from the first byte to the last
    except OSError:
        return ""
    if kind == fcntl.F_UNLCK:
        return ""
    for session in (byte, byte + _FLOCK_BYTES):
        with suppress(OSError):
            status = os.stat(journal_name(b"%016x" % session), dir_fd=fd, follow_symlinks=False)
            return f"another run (of user {status.st_uid})"
    return "another run"


def _lock(fd: int, command: int, kind: int, byte: int, length: int) -> tuple[int, ...]:
    return _FLOCK.unpack(fcntl.fcntl(fd, command, _FLOCK.pack(kind, 0, byte, length, 0)))


def is_file_system_root(path: bytes) -> bool:
    """Return whether a path leads to / by whatever names."""
    return os.path.realpath(path) == b"/"


def check_not_file_system_root(path: bytes) -> None:
    """Raise FileError for / itself, which is unlikely to be meant unless the user asks for deletions there."""
    if is_file_system_root(path):
        raise FileError(
            f"the destination {printable(path)} is /, and all that SOURCE lacks would be deleted; see --delete"
        )


def _make(path: bytes) -> bool:
    """Make a directory. Return False if another program has made it meanwhile. Raise OSError."""
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        if os.path.exists(path):
            return False
        raise  # a soft link to nothing
    return True


def _make_parents(path: bytes) -> None:
    """Make the directories that are missing above DEST. SOURCE says nothing of them, so others may enter them."""
    missing = []
    while not os.path.isdir(path):
        missing.append(path)
        path = _parent(path)
    for each in reversed(missing):
        try:
            os.mkdir(each)
        except FileExistsError:
            if not os.path.isdir(each):
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), each) from None
            continue  # another program has made it meanwhile
        _let_others_in(each)


def _let_others_in(path: bytes) -> None:
    """Let others enter a new directory, if the umask keeps them out. All threads share the umask, so it is not changed.

    A directory that somebody has put in its place is left alone: ours is empty. A default ACL has the last word.
    """
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | CAUTIOUS)
    try:
        status = os.fstat(fd)
        if not status.st_mode & 0o077 and status.st_uid == os.geteuid() and not os.listdir(fd):
            os.fchmod(fd, stat.S_IMODE(status.st_mode) | 0o055)
    finally:
        os.close(fd)


def holds_home(root_fd: int) -> bool:
    """Return whether the root of a destination is the home directory of who logged in here, or above it."""
    users = {b"", os.environb.get(b"SUDO_USER", b"")}
    homes = [home for user in users if os.path.isabs(home := os.path.expanduser(b"~" + user))]  # not of unknown users
    return any(path_below(root_fd, path) is not None for home in homes for path in (home, os.path.realpath(home)))


def path_below(root_fd: int, wanted: bytes) -> bytes | None:
    """Return where a path leads below the root of a destination, or None if it does not. wanted: as for place_from."""
    place, is_below = place_from(root_fd, wanted)
    return place if is_below else None


def place_from(root_fd: int, wanted: bytes) -> tuple[bytes, bool]:
    """Return where a path leads from the root of a destination on, and whether that is below it.

    wanted: absolute, or relative to the root. Above the root, links and mounts may lead to it under any name. Below it
    no link is followed, so a `..` there takes away the name before it.
    """
    root, names = os.fstat(root_fd), (wanted or b".").split(b"/")
    for count in range(names[0] in (b"", b".."), len(names) + 1):
        above = b"/".join(names[:count]) or (b"/" if count else b".")
        try:
            is_root = os.path.samestat(os.stat(above, dir_fd=root_fd), root)
        except OSError:
            break
        if is_root:
            rest = os.path.normpath(b"/".join([b".", *names[count:]]))
            leads_out = rest.split(b"/")[0] == b".."
            return place_from(root_fd, rest) if leads_out else (b"" if rest == b"." else rest, True)
    return wanted, False


def open_directory_from(root_fd: int, wanted: bytes) -> int:
    """Return a descriptor of a directory that the user named, from the root of a destination on. Raise OSError.

    Below the root no link is followed, whatever name leads to it, because others may have put the link there.
    """
    place, is_below = place_from(root_fd, wanted)
    if not is_below:
        return os.open(place, os.O_RDONLY | os.O_DIRECTORY | NAMED, dir_fd=root_fd)
    fd = os.dup(root_fd)
    for name in filter(None, place.split(b"/")):
        try:
            deeper = os.open(name, os.O_RDONLY | os.O_DIRECTORY | CAUTIOUS, dir_fd=fd)
        finally:
            close_quietly(fd)
        fd = deeper
    return fd


def check_absent_root(path: bytes, *, makes_parents: bool = False) -> None:
    """Raise FileError if this destination, which is not a directory yet, cannot be created."""
    shown = printable(path)
    bare = path.rstrip(b"/") or b"/"
    if os.path.lexists(bare):
        is_link = os.path.islink(bare) and not os.path.exists(bare)
        raise FileError(_NO_GOAL.format(shown) if is_link else f"the destination {shown} is not a directory")
    try:
        parent = deepest(_parent(path)) if makes_parents else _parent(path)
    except OSError as error:
        raise FileError(f"cannot use the destination {shown}: {why_refused(error.errno or 0)}") from error
    if makes_parents and not os.path.isdir(parent):
        raise FileError(_NO_PARENTS.format(shown, printable(parent)))
    if not os.path.isdir(parent):
        raise FileError(_NO_PARENT.format(shown))
    if not os.access(parent, os.W_OK | os.X_OK, effective_ids=True):
        is_closed = os.statvfs(parent).f_flag & os.ST_RDONLY
        reason = why_refused(errno.EROFS if is_closed else errno.EACCES)
        raise FileError(f"cannot use the destination {shown}: {reason}")


def why_refused(reason: int) -> str:
    """Return the text of an errno, with a remedy if the user may not write to the destination."""
    is_user = reason == errno.EACCES and os.geteuid() != 0
    return os.strerror(reason) + ("; with --sudo, root writes there" if is_user else "")


def deepest(path: bytes) -> bytes:
    """Return what exists of a path. Raise OSError if it begins in a working directory that this user may not search."""
    path = path.rstrip(b"/") or b"/"
    while not os.path.lexists(path):
        if path == b".":
            os.stat(path)
        path = _parent(path)
    return path


def _parent(path: bytes) -> bytes:
    return os.path.dirname(path.rstrip(b"/")) or b"."  # as the kernel reads it: .. behind a link is another place
