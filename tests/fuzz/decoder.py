"""A decoder, as the fuzzer sees it: what reads an input, and what it may answer."""

from __future__ import annotations

import errno
import types
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple
from unittest import mock

from mrsync.errors import MrsyncError
from mrsync.tree.model import packing

Read = Callable[[bytes], object]


class Decoder(NamedTuple):
    """What reads an input, inputs that it takes, and which exceptions are its answer to a wrong one."""

    read: Read
    samples: Sequence[bytes]
    words: Sequence[bytes] = ()  # pieces that mean something to it
    answers: tuple[type[Exception], ...] = (MrsyncError,)


@contextmanager
def uncompressed() -> Iterator[None]:
    """Let sections be as they are packed, or else nearly every damage would be found by zlib."""

    class Inflater:
        eof = True
        unused_data = b""

        def decompress(self, data: bytes, most: int) -> bytes:
            return bytes(data[:most])

    class Deflater:
        def __init__(self, level: int) -> None:
            pass

        def compress(self, data: bytes) -> bytes:
            return bytes(data)

        def flush(self) -> bytes:
            return b""

    plain = types.SimpleNamespace(compressobj=Deflater, decompressobj=Inflater, error=ValueError)
    with mock.patch.object(packing, "zlib", plain):
        yield


def read(decoder: Decoder, data: bytes) -> None:
    """Read an input. Raise any error that is not one of the decoder's answers, because that is a fault."""
    try:
        with uncompressed():
            decoder.read(data)
    except decoder.answers:
        return
    except OSError as error:
        if error.errno not in (errno.ENAMETOOLONG, errno.ENOENT, errno.EINVAL):
            raise
