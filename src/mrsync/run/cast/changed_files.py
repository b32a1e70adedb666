"""Source files that changed while they were read: cast once more, or skipped, and said."""

from __future__ import annotations

from collections.abc import Callable, Mapping

Tell = Callable[[str], None]


class Changes:
    """Keeps account of such plan files.

    path: of a plan file, to print. notice: hears what some ask for, warn what everybody is to know. is_last: what
    changes from now on is not cast again.
    """

    def __init__(self, path: Callable[[int], str], *, notice: Tell, warn: Tell) -> None:
        self.is_last = False
        self.cast_again: frozenset[int] = frozenset()  # numbers of the first round
        self._path = path
        self._notice = notice
        self._warn = warn
        self._open: dict[int, str] = {}  # plan file -> why; neither skipped nor cast again yet
        self._skipped = 0

    @property
    def count(self) -> int:
        """Files that no target has as they are now."""
        return self._skipped + len(self._open)

    def note(self, file: int, reason: str) -> None:
        """This file is no longer what was scanned."""
        if self.is_last:
            self._skip(file, f"{reason} while it was read")
        else:
            self._open[file] = reason
            self._notice(f"{reason} while it was read, cast once more later: {self._path(file)}")

    def settle(self, cast_again: frozenset[int], refused: Mapping[int, str]) -> None:
        """These are cast once more, those cannot be."""
        self.is_last = True
        self.cast_again = cast_again
        for file in sorted(self._open):
            if file not in cast_again:
                self._skip(file, refused.get(file, self._open[file]))
        self._open.clear()

    def _skip(self, file: int, reason: str) -> None:
        self._skipped += 1
        self._warn(f"skipped on all targets, {reason}: {self._path(file)}")
