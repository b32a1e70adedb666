"""What rsync says is taken whole, and no more of it than memory can hold."""

from __future__ import annotations

import pytest

from mrsync.errors import SelectionError
from mrsync.run.cast import rsync_compare


@pytest.mark.parametrize("redirection", ["", ">&2"])
@pytest.mark.parametrize("limit", ["OUTPUT_BYTES_MAX", "LINES_HELD_MAX"])
def test_output_of_too_many_bytes_or_lines_ends_the_run(
    monkeypatch: pytest.MonkeyPatch, limit: str, redirection: str
) -> None:
    monkeypatch.setattr(rsync_compare, limit, 1000)
    with pytest.raises(SelectionError, match="rsync writes without end"):
        rsync_compare._run_rsync([b"sh", b"-c", f"yes | head -n 5000 {redirection}".encode()], lambda: None)
