"""Changes: every changed file is cast once more or skipped, and said."""

from __future__ import annotations

from mrsync.run.cast.changed_files import Changes


class Said:
    def __init__(self) -> None:
        self.notices: list[str] = []
        self.warnings: list[str] = []
        self.changes = Changes(lambda file: f"f{file}", notice=self.notices.append, warn=self.warnings.append)


def test_what_is_cast_once_more_is_no_warning() -> None:
    said = Said()
    said.changes.note(3, "its size changed")
    assert said.notices == ["its size changed while it was read, cast once more later: f3"]
    assert said.changes.count == 1  # as long as it is not cast
    said.changes.settle(frozenset([3]), {})
    assert (said.changes.count, said.changes.cast_again, said.warnings) == (0, frozenset([3]), [])


def test_what_cannot_be_cast_again_is_skipped_for_the_reason_of_now() -> None:
    said = Said()
    for file in (4, 3):
        said.changes.note(file, "its size changed")
    said.changes.settle(frozenset(), {3: "No such file or directory"})
    assert said.warnings == [
        "skipped on all targets, No such file or directory: f3",
        "skipped on all targets, its size changed: f4",
    ]
    assert said.changes.count == 2


def test_what_changes_again_is_skipped() -> None:
    said = Said()
    said.changes.note(3, "its size changed")
    said.changes.settle(frozenset([3]), {})
    said.changes.note(7, "it was written to")
    assert said.warnings == ["skipped on all targets, it was written to while it was read: f7"]
    assert said.changes.count == 1
