"""What rsync says is taken whole, and no more of it than memory can hold; a run that is over ends it."""

from __future__ import annotations

from pathlib import Path

import pytest

from mrsync.errors import SelectionError
from mrsync.run.cast import rsync_compare
from tests.support.descriptors import only_high_descriptors


@pytest.mark.parametrize("redirection", ["", ">&2"])
@pytest.mark.parametrize("limit", ["OUTPUT_BYTES_MAX", "LINES_HELD_MAX"])
def test_output_of_too_many_bytes_or_lines_ends_the_run(
    monkeypatch: pytest.MonkeyPatch, limit: str, redirection: str
) -> None:
    monkeypatch.setattr(rsync_compare, limit, 1000)
    with pytest.raises(SelectionError, match="rsync writes without end"):
        rsync_compare._run_rsync([b"sh", b"-c", f"yes | head -n 5000 {redirection}".encode()], lambda: None)


def test_a_run_that_is_over_does_not_wait_for_an_rsync_that_has_closed_its_output(tmp_path: Path) -> None:
    closed = tmp_path / "closed"

    def check() -> None:
        if closed.exists():
            raise SelectionError("the run is over")

    with pytest.raises(SelectionError, match="the run is over"):
        rsync_compare._run_rsync([b"sh", b"-c", f"exec >&- 2>&-; sleep 0.3; > {closed}; sleep 5".encode()], check)


def test_rsync_is_heard_beside_hundreds_of_remote_shells() -> None:
    with only_high_descriptors():
        said = rsync_compare._run_rsync([b"sh", b"-c", b"echo file; echo complaint >&2; exit 23"], lambda: None)
    assert said == ([b"file", b""], ["complaint"], 23)
