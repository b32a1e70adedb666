"""Write all of a run of data, however little the kernel takes at a time."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Union

Data = Union[bytes, bytearray, memoryview]


def write_all(fd: int, run: Sequence[Data], position: int, length: int) -> None:
    """Write the data of the run, length bytes in total, at this offset. Raise OSError."""
    written = os.pwritev(fd, run, position) if run else 0
    if written == length:
        return
    rest = memoryview(b"".join(run))
    while written < length:
        written += os.pwrite(fd, rest[written:], position + written)
