"""zstd: frames come back as pages, and no frame takes more memory than a page."""

from __future__ import annotations

import sys
import tracemalloc
import zlib

import pytest

from mrsync.transport.pages import zstd
from mrsync.transport.pages.compression import Compressor, compressions_here, expand
from mrsync.transport.pages.zstd import MAGIC, expand_frame, has_zstd, zstd_compressor
from mrsync.wire.limits import TAG_BYTES
from mrsync.wire.messages import Compression
from tests.unit.transport.link import GEOMETRY

TEXT = b"".join(b"%d green bottles, hanging on the wall\n" % number for number in range(4000))
PAGE = TEXT[: GEOMETRY.page_bytes]

needs_zstd = pytest.mark.skipif(not has_zstd(), reason="needs Python 3.14 or the package zstandard")


def block(data: bytes, *, is_last: bool, repeats: int = 0) -> bytes:
    """Return a block as it is, or of one byte that is repeated."""
    kind, size = (1, repeats) if repeats else (0, len(data))
    return (is_last | kind << 1 | size << 3).to_bytes(3, "little") + data


def frame(descriptor: int, size: bytes, *blocks: bytes) -> bytes:
    return MAGIC + bytes((descriptor,)) + size + b"".join(blocks)


SINGLE, SIZE_OF_8 = 0x20, 0xC0
TEN = block(b"ten bytes.", is_last=True)


@needs_zstd
@pytest.mark.parametrize("level", [1, 3, 22])
def test_a_page_comes_back_whole(level: int) -> None:
    small = Compressor(GEOMETRY.slice_bytes, Compression.ZSTD, level=level).compress(PAGE)
    assert small.startswith(MAGIC)
    assert len(small) < len(PAGE) / 3
    assert (len(small) + TAG_BYTES) % GEOMETRY.slice_bytes == 0
    assert expand(small, len(PAGE)) == PAGE


@needs_zstd
@pytest.mark.parametrize("length", [1, 255, 256, 257, 1000, 65_000])
def test_every_frame_says_how_long_its_page_is(length: int) -> None:
    pack = zstd_compressor(1)
    for data in (TEXT[:length], TEXT[-length:]):
        assert expand_frame(pack(data) + bytes(50), length) == data


@needs_zstd
@pytest.mark.parametrize(
    "data",
    [
        MAGIC,
        frame(SINGLE, b"\x0a"),
        frame(SINGLE, b"\x0a", TEN[:-1]),
        frame(SINGLE, b"\x09", TEN),
        frame(SINGLE, b"\x0b", TEN),
        frame(0, b"\x58", TEN),  # with a window, without the length
        frame(SINGLE | 1, b"\x00\x0a", TEN),  # with a dictionary
        frame(SINGLE | 8, b"\x0a", TEN),  # with a bit that is reserved
        frame(SINGLE, b"\x0a", block(b"x", is_last=False, repeats=10), TEN),
        frame(SINGLE, b"\x0a", b"\xff" * 40),
        frame(SINGLE | SIZE_OF_8, b"\xff" * 8, TEN),
        b"\x50\x2a\x4d\x18" + bytes(4) + frame(SINGLE, b"\x0a", TEN),  # a frame to be skipped before it
    ],
)
def test_data_that_is_not_a_frame_of_the_page_is_refused(data: bytes) -> None:
    assert expand_frame(frame(SINGLE, b"\x0a", TEN) + bytes(9), 10) == b"ten bytes."
    assert expand(data, 10) is None


@needs_zstd
@pytest.mark.parametrize("size", [b"\x0a", None], ids=["small", "huge"])
def test_a_bomb_takes_no_memory(size: bytes | None) -> None:
    blocks = [block(b"x", is_last=False, repeats=1 << 17) for _ in range(8000)]  # 1 GB
    bomb = frame(SINGLE, size, *blocks) if size else frame(SINGLE | SIZE_OF_8, (1 << 30).to_bytes(8, "little"), *blocks)
    tracemalloc.start()
    try:
        assert expand(bomb, 10) is None
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("ending", [b"\0\0", b"\xff\xff", b"\x4a\xd0", b"\xd0\x4a"])
def test_no_deflate_data_begins_like_a_frame(ending: bytes) -> None:
    with pytest.raises(zlib.error):
        zlib.decompressobj(-15).decompress(MAGIC + ending + PAGE)


def test_without_a_library_frames_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zstandard", None)
    monkeypatch.setitem(sys.modules, "compression", None)
    zstd._library.cache_clear()
    try:
        assert compressions_here() == 1 << Compression.DEFLATE
        assert expand(frame(SINGLE, b"\x0a", TEN), 10) is None
        with pytest.raises(RuntimeError, match="no zstd"):
            zstd_compressor(1)
    finally:
        zstd._library.cache_clear()


@pytest.mark.skipif(sys.version_info < (3, 14), reason="needs Python 3.14")
def test_python_s_own_library_is_preferred() -> None:
    own, package = zstd._own_library(), zstd._package()
    assert own is not None
    assert own.expand(own.compressor(1)(PAGE), len(PAGE)) == PAGE
    if package is not None:
        assert own.expand(package.compressor(1)(PAGE) + bytes(9), len(PAGE)) == PAGE
