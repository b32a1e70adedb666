"""Make and expand zstd frames (RFC 8878) of whole pages.

This uses `compression.zstd`, which Python has from 3.14 on, or the package `zstandard`.

A frame is expanded only if its header says that it holds exactly the bytes of the page, in one segment, which both
libraries write for data they get as a whole. So neither its contents nor its window can take more memory than a page,
even if an attacker made it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Callable

from mrsync.tuples import NamedTuple

MAGIC = b"\x28\xb5\x2f\xfd"  # no raw deflate data begins so: this is a stored block whose length contradicts itself
_DESCRIPTOR_AT = len(MAGIC)
_SINGLE_SEGMENT = 0x20  # in the frame header's descriptor: the window is as large as the contents
_RESERVED_OR_DICTIONARY = 0x0B
_SIZE_BYTES = (1, 2, 4, 8)  # of the field with the size of the contents, by the descriptor's upper 2 bits
_SIZE_OF_2_BYTES_FROM = 256


class _Library(NamedTuple):
    """Functions of a library for Zstandard.

    compressor: given a level, returns a function that compresses a page to a frame. expand: given a frame, which may be
    followed by anything, and a number of bytes, returns its contents up to that size, or None if it is invalid.
    """

    compressor: Callable[[int], Callable[[bytes], bytes]]
    expand: Callable[[bytes, int], bytes | None]


def has_zstd() -> bool:
    """Return whether this Python can make and expand frames."""
    return _library() is not None


def zstd_compressor(level: int) -> Callable[[bytes], bytes]:
    """Return a function that returns the frame of a page. Raise RuntimeError without a library."""
    library = _library()
    if library is None:
        raise RuntimeError("this Python has no zstd")
    return library.compressor(level)


def expand_frame(data: bytes, length: int) -> bytes | None:
    """Return the page of this length in bytes, or None if the data does not begin with a frame of such a page."""
    library = _library()
    if library is None or _contents_bytes(data) != length:
        return None
    plain = library.expand(data, length)
    return plain if plain is not None and len(plain) == length else None


def _contents_bytes(frame: bytes) -> int:
    """Return how many bytes a frame says that it holds; -1 if it does not say, or needs a larger window."""
    descriptor = frame[_DESCRIPTOR_AT] if len(frame) > _DESCRIPTOR_AT else 0
    if not descriptor & _SINGLE_SEGMENT or descriptor & _RESERVED_OR_DICTIONARY:
        return -1
    size_bytes = _SIZE_BYTES[descriptor >> 6]
    size = int.from_bytes(frame[_DESCRIPTOR_AT + 1 : _DESCRIPTOR_AT + 1 + size_bytes], "little")
    return size + _SIZE_OF_2_BYTES_FROM if size_bytes == 2 else size


@lru_cache(maxsize=1)
def _library() -> _Library | None:
    return _own_library() or _package()


def _own_library() -> _Library | None:
    try:
        from compression import zstd  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        return None

    def compressor(level: int) -> Callable[[bytes], bytes]:
        packer: Any = zstd.ZstdCompressor(level=level)
        return lambda data: bytes(packer.compress(data, packer.FLUSH_FRAME))

    def expand(data: bytes, length: int) -> bytes | None:
        unpacker: Any = zstd.ZstdDecompressor()
        try:
            plain = bytes(unpacker.decompress(data, max_length=length))
        except zstd.ZstdError:
            return None
        return plain if unpacker.eof else None

    return _Library(compressor, expand)


def _package() -> _Library | None:
    try:
        import zstandard
    except ImportError:
        return None

    def compressor(level: int) -> Callable[[bytes], bytes]:
        return zstandard.ZstdCompressor(level=level).compress

    def expand(data: bytes, length: int) -> bytes | None:
        try:
            return zstandard.ZstdDecompressor().decompress(data)
        except zstandard.ZstdError:
            return None

    return _Library(compressor, expand)
