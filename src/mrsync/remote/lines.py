"""Lines out of a pipe, as they come."""

from __future__ import annotations

import os

LINE_BYTES_MAX = 65536  # a longer line is cut there


class LineReader:
    """Cuts what comes out of a descriptor, which is made non-blocking, into lines."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._begun = b""
        os.set_blocking(descriptor, False)

    def read(self) -> tuple[list[bytes], bool]:
        """Whole lines that came, without their newlines, and whether more can come."""
        try:
            data = os.read(self._descriptor, LINE_BYTES_MAX)
        except BlockingIOError:
            return [], True
        *lines, self._begun = (self._begun + data).split(b"\n")
        if self._begun and (not data or len(self._begun) >= LINE_BYTES_MAX):
            lines.append(self._begun)
            self._begun = b""
        return lines, bool(data)
