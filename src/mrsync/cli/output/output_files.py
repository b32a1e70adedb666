"""Write the output files of a run: replace reports and metrics atomically, append to a log.

Such a file may be in a directory in which others can write. Therefore names of temporary files are random, links are
never followed, and opening a FIFO does not block.
"""

from __future__ import annotations

import errno
import os
import stat

from mrsync.errors import FileError

MODE = 0o640
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_APPEND = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_ATTEMPTS = 16
_LOG = "it must be a regular file of yours or root's, no link, with one name"


def check_output(option: str, path: str) -> None:
    """Raise FileError if `replace_file` could not write there now. option: its name, for the message."""
    folder = os.path.dirname(path) or "."
    if not os.access(folder, os.W_OK | os.X_OK):
        reason = ""
        if not os.path.isdir(folder):
            reason = ", which is no directory" if os.path.lexists(folder) else ", which does not exist"
        raise FileError(f"{option} {path}: cannot write in {folder}{reason}")
    try:
        is_replaceable = _is_replaceable(path)
    except OSError as error:  # no file can have this name
        raise FileError(f"{option} {path}: cannot write there: {error.strerror}") from error
    if not is_replaceable:
        raise FileError(f"{option} {path}: it exists and is not a regular file")


def replace_file(text: str, path: str) -> None:
    """Write the text to a temporary file and rename it, so that readers never see a part of it. Raise FileError."""
    folder, name = os.path.split(path)
    try:
        place = os.open(folder or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            _replace_in(place, name, text.encode("utf-8", "backslashreplace"))
        finally:
            os.close(place)
    except OSError as error:
        raise FileError(f"cannot write {path}: {error.strerror}") from error


def open_log(path: str) -> int:
    """Return a descriptor that appends to a regular file which belongs to this user or root. Raise FileError."""
    try:
        opened = _open_or_create(path)
    except OSError as error:
        is_other = error.errno in (errno.ELOOP, errno.ENXIO)  # a link, a FIFO or socket
        raise FileError(f"cannot open the log file {path}: {_LOG if is_other else error.strerror}") from error
    found = os.fstat(opened)
    if stat.S_ISREG(found.st_mode) and found.st_uid in (0, os.geteuid()) and found.st_nlink == 1:
        return opened
    os.close(opened)
    raise FileError(f"cannot open the log file {path}: {_LOG}")


def _is_replaceable(path: str) -> bool:
    """Return whether the path is free, or is a file, link or FIFO. Directories and devices are probably mistakes.

    Raise OSError, such as for a name that is too long.
    """
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return True
    return not (stat.S_ISDIR(mode) or stat.S_ISBLK(mode) or stat.S_ISCHR(mode))


def _replace_in(place: int, name: str, content: bytes) -> None:
    unfinished = b".%s.%s" % (os.fsencode(name)[:200], os.urandom(8).hex().encode())  # a name has at most 255 bytes
    opened = os.open(unfinished, _CREATE, MODE, dir_fd=place)
    try:
        with open(opened, "wb", buffering=0) as file:
            rest = memoryview(content)
            while rest:
                rest = rest[file.write(rest) :]
        os.rename(unfinished, name, src_dir_fd=place, dst_dir_fd=place)
    except BaseException:
        os.unlink(unfinished, dir_fd=place)
        raise


def _open_or_create(path: str) -> int:
    """Open or create a file for appending. Another session may create or remove it at the same time. Raise OSError."""
    for _ in range(_ATTEMPTS):
        try:
            return os.open(path, _APPEND)
        except FileNotFoundError:
            pass
        try:
            return os.open(path, _APPEND | os.O_CREAT | os.O_EXCL, MODE)
        except FileExistsError:
            continue
    raise FileExistsError(17, "it keeps appearing and disappearing")
