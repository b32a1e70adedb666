"""Changes: every changed file is cast once more or skipped, and said."""

from __future__ import annotations

from mrsync.run.cast.changed_files import Changes
from mrsync.tree.model.failure import Fault

SIZE, WRITTEN = Fault("its size changed"), Fault("it was written to")
DENIED = Fault("Permission denied", is_unreadable=True)


class Said:
    def __init__(self) -> None:
        self.notices: list[str] = []
        self.warnings: list[str] = []
        self.changes = Changes(lambda file: f"f{file}", notice=self.notices.append, warn=self.warnings.append)

    @property
    def counts(self) -> tuple[int, int]:
        return self.changes.changed, self.changes.unreadable


def test_files_of_the_second_round_cause_no_warning() -> None:
    said = Said()
    said.changes.note(3, SIZE)
    assert said.notices == ["f3: its size changed while it was read; it will be sent again"]
    assert said.counts == (1, 0)  # as long as it is not cast
    said.changes.settle(frozenset([3]), {})
    assert (said.counts, said.changes.cast_again, said.warnings) == ((0, 0), frozenset([3]), [])


def test_skipped_file_is_reported_with_its_latest_reason() -> None:
    said = Said()
    for file in (5, 4, 3):
        said.changes.note(file, SIZE)
    said.changes.settle(frozenset(), {3: Fault("No such file or directory"), 5: DENIED})
    assert said.warnings == [
        "f3: No such file or directory; it is skipped on all targets",
        "f4: its size changed; it is skipped on all targets",
        "f5: it cannot be read (Permission denied); it is skipped on all targets",
    ]
    assert said.counts == (2, 1)


def test_files_that_change_twice_are_skipped() -> None:
    said = Said()
    said.changes.note(3, SIZE)
    said.changes.settle(frozenset([3]), {})
    said.changes.note(7, WRITTEN)
    assert said.warnings == ["f7: it was written to while it was read; it is skipped on all targets"]
    assert said.counts == (1, 0)


def test_unreadable_files_are_not_counted_as_changed() -> None:
    said = Said()
    said.changes.note(2, DENIED)
    assert said.counts == (0, 1)
    said.changes.settle(frozenset([2]), {})
    said.changes.note(9, Fault("Input/output error", is_unreadable=True))
    assert said.warnings == ["f9: it cannot be read (Input/output error); it is skipped on all targets"]
    assert said.counts == (0, 1)


def test_growing_files_are_reported_and_counted_as_changed() -> None:
    said = Said()
    said.changes.settle(frozenset(), {})
    said.changes.note_outgrown(4)
    assert said.warnings == ["f4: it keeps growing; targets get what it contained when it was opened"]
    assert said.counts == (1, 0)
    said.changes.note(4, WRITTEN)
    assert said.counts == (1, 0)


def test_other_names_of_a_file_are_told_and_counted() -> None:
    said = Said()
    said.changes.note_name("d/a", Fault("it vanished"), is_skipped=True)
    said.changes.note_name("d/b", DENIED, is_skipped=False)
    assert said.warnings == [
        "d/a: it vanished; it is skipped on all targets",
        "d/b: it cannot be read (Permission denied); targets get it as one of the names of its file",
    ]
    assert said.counts == (1, 1)
