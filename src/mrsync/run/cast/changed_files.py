"""Source files that changed or could not be read while they were cast: cast once more, or skipped, and said."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mrsync.tree.model.failure import Fault

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
        self._open: dict[int, Fault] = {}  # plan file -> why; neither skipped nor cast again yet
        self._skipped: list[Fault] = []
        self._outgrown: set[int] = set()

    @property
    def changed(self) -> int:
        """Files that no target has as they are now, because they vanished or changed."""
        return len(self._faults) - self.unreadable + len(self._outgrown)

    @property
    def unreadable(self) -> int:
        """Files that no target has as they are now, because they cannot be read."""
        return sum(fault.is_unreadable for fault in self._faults)

    def note(self, file: int, fault: Fault) -> None:
        """This file cannot be read, or is no longer what was scanned."""
        if self.is_last:
            self._skip(file, fault, "" if fault.is_unreadable else " while it was read")
        else:
            self._open[file] = fault
            self._notice(f"{fault.reason} while it was read, cast once more later: {self._path(file)}")

    def note_outgrown(self, file: int) -> None:
        """This file is cast as it was found when the second round began, but has grown since."""
        self._outgrown.add(file)
        self._warn(f"grows all the time, all targets get what was in it when it was opened: {self._path(file)}")

    def settle(self, cast_again: frozenset[int], refused: Mapping[int, Fault]) -> None:
        """These are cast once more, those cannot be."""
        self.is_last = True
        self.cast_again = cast_again
        for file in sorted(self._open):
            if file not in cast_again:
                self._skip(file, refused.get(file, self._open[file]))
        self._open.clear()

    @property
    def _faults(self) -> list[Fault]:
        return [*self._skipped, *self._open.values()]

    def _skip(self, file: int, fault: Fault, when: str = "") -> None:
        self._skipped.append(fault)
        self._outgrown.discard(file)
        reason = f"cannot be read: {fault.reason}" if fault.is_unreadable else fault.reason
        self._warn(f"skipped on all targets, {reason}{when}: {self._path(file)}")
