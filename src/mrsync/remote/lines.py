"""Read lines from a pipe without blocking."""

from __future__ import annotations

import os

LINE_BYTES_MAX = 65536  # longer lines are split


class LineReader:
    """Split the data from a descriptor into lines. The descriptor is made non-blocking."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._begun = b""
        os.set_blocking(descriptor, False)

    def read(self, most: int = -1) -> tuple[list[bytes], bool]:
        """Return the complete lines that have arrived, without newlines, and whether more can follow.

        most: return at most this many of them, the last ones; -1: all.
        """
        try:
            data = os.read(self._descriptor, LINE_BYTES_MAX)
        except BlockingIOError:
            return [], True
        *lines, self._begun = (self._begun + data).rsplit(b"\n", most)
        if len(lines) == most:
            del lines[0]  # it has all the others in it
        if self._begun and (not data or len(self._begun) >= LINE_BYTES_MAX):
            lines.append(self._begun)
            self._begun = b""
        return lines, bool(data)
