"""Read and write pieces of open files completely: a single system call may move fewer bytes.

Data can be written sparsely. Then whole blocks of zeros become holes.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Union

from mrsync.tree.fs.extents import BLOCK_BYTES, clear
from mrsync.tree.model.failure import Changed

Data = Union[bytes, bytearray, memoryview]

_ZEROS = bytes(BLOCK_BYTES)


def read_exactly(fd: int, position: int, length: int) -> bytes:
    """Return `length` bytes at a position of a file. Raise OSError, or Changed if it ends before."""
    data = os.pread(fd, length, position)
    while len(data) < length:
        more = os.pread(fd, length - len(data), position + len(data))
        if not more:
            raise Changed("it became shorter")
        data += more
    return data


def write_all(fd: int, run: Sequence[Data], position: int, length: int) -> None:
    """Write the buffers of a run one after another. Raise OSError.

    position: offset in the file. length: bytes of all buffers.
    """
    written = os.pwritev(fd, run, position) if run else 0
    if written == length:
        return
    rest = memoryview(b"".join(run))
    while written < length:
        written += os.pwrite(fd, rest[written:], position + written)


def cut(run: Iterable[Data], lengths: Iterable[int]) -> Iterator[list[Data]]:
    """Yield consecutive pieces of a run, each as views of its buffers.

    lengths: in bytes, in total at most the run's.
    """
    buffers = iter(run)
    rest = memoryview(b"")
    for length in lengths:
        piece: list[Data] = []
        while length > len(rest):
            if rest:
                piece.append(rest)
                length -= len(rest)
            rest = memoryview(next(buffers))
        piece.append(rest[:length])
        rest = rest[length:]
        yield piece


def write_sparsely(fd: int, run: Sequence[Data], position: int, *, is_empty: bool = True) -> None:
    """Write the buffers of a run one after another, whole blocks of zeros as holes. Raise OSError.

    position: offset in the file. The caller sets its size. is_empty: the file has nothing there yet, so that blocks
    need only be skipped.
    """
    data = b"".join(run)
    done = 0
    for start, end in data_spans(data, position):
        if not is_empty:
            clear(fd, position + done, position + start)
        done = end
        while start < end:
            start += os.pwrite(fd, memoryview(data)[start:end], position + start)
    if not is_empty:
        clear(fd, position + done, position + len(data))


def data_spans(data: bytes, position: int) -> Iterator[tuple[int, int]]:
    """Yield the ranges [start, end) of data that are not zero, in whole blocks of the file; data is at `position`."""
    begun = -1
    start = 0
    while start < len(data):
        end = min(start + BLOCK_BYTES - (position + start) % BLOCK_BYTES, len(data))
        is_hole = data[start:end] == _ZEROS[: end - start]
        if is_hole and begun >= 0:
            yield begun, start
        begun = -1 if is_hole else begun if begun >= 0 else start
        start = end
    if begun >= 0:
        yield begun, len(data)
