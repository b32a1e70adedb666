"""Decide about source files that change or cannot be read during the cast: cast them again or skip them.

Each such file is open until `settle`, which either schedules it for the second round or skips it with a warning. After
that, is_last is set, and files that change again are skipped at once, so there are at most two rounds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mrsync.tree.model.failure import Fault

Tell = Callable[[str], None]


class Changes:
    """The plan files that changed or could not be read.

    path: returns the printable path of a plan file. notice: called with details, warn: with what every user should see.
    is_last: files that change from now on are not cast again.
    """

    def __init__(self, path: Callable[[int], str], *, notice: Tell, warn: Tell) -> None:
        self.is_last = False
        self.noted: set[int] = set()  # plan files of both rounds
        self.cast_again: frozenset[int] = frozenset()  # plan files, numbered as in the first round
        self._path = path
        self._notice = notice
        self._warn = warn
        self._open: dict[int, Fault] = {}  # plan file -> fault, until it is skipped or cast again
        self._skipped: list[Fault] = []
        self._outgrown: set[int] = set()

    @property
    def changed(self) -> int:
        """Number of files that no target has in their current state, because they vanished or changed."""
        return len(self._faults) - self.unreadable + len(self._outgrown)

    @property
    def unreadable(self) -> int:
        """Number of files that no target has in their current state, because they cannot be read."""
        return sum(fault.is_unreadable for fault in self._faults)

    def note(self, file: int, fault: Fault) -> None:
        """Note that a file cannot be read or is no longer as it was scanned."""
        self.noted.add(file)
        if self.is_last:
            self._skip(file, fault, "" if fault.is_unreadable else " while it was read")
        else:
            self._open[file] = fault
            self._notice(f"{self._path(file)}: {fault.reason} while it was read; it will be sent again")

    def note_outgrown(self, file: int) -> None:
        """Note that a file is cast with its size from the start of the second round, but has grown since."""
        self._outgrown.add(file)
        self._warn(f"{self._path(file)}: it keeps growing; targets get what it contained when it was opened")

    def settle(self, cast_again: frozenset[int], refused: Mapping[int, Fault]) -> None:
        """Decide about all open files.

        cast_again: files of the second round. refused: why others cannot be cast again.
        """
        self.is_last = True
        self.cast_again = cast_again
        for file in sorted(self._open):
            if file not in cast_again:
                self._skip(file, refused.get(file, self._open[file]))
        self._open.clear()

    def note_name(self, path: str, fault: Fault, *, is_skipped: bool) -> None:
        """Note that another name of a changed file is skipped with it, or is gone while its file is cast again."""
        self._skipped.append(fault)
        end = "it is skipped on all targets" if is_skipped else "targets get it as one of the names of its file"
        self._warn(f"{path}: {_reason(fault)}; {end}")

    @property
    def _faults(self) -> list[Fault]:
        return [*self._skipped, *self._open.values()]

    def _skip(self, file: int, fault: Fault, when: str = "") -> None:
        self._skipped.append(fault)
        self._outgrown.discard(file)
        self._warn(f"{self._path(file)}: {_reason(fault)}{when}; it is skipped on all targets")


def _reason(fault: Fault) -> str:
    return f"it cannot be read ({fault.reason})" if fault.is_unreadable else fault.reason
