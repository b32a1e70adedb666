"""Stop: the first request counts, whenever somebody listens."""

from __future__ import annotations

from mrsync.run.stop import Stop


def test_a_request_reaches_the_run() -> None:
    stop, heard = Stop(), list[str]()
    stop.listen(lambda: heard.append(stop.reason))
    assert stop.request("first")
    assert stop.request("second")
    assert heard == ["first"]


def test_a_request_before_the_run_listens_is_not_forgotten() -> None:
    stop, heard = Stop(), list[str]()
    assert not stop.request("early")
    stop.listen(lambda: heard.append(stop.reason))
    assert heard == ["early"]


def test_no_callback_after_the_end() -> None:
    stop, heard = Stop(), list[str]()
    stop.listen(lambda: heard.append(stop.reason))
    stop.listen(None)
    assert not stop.request("late")
    assert heard == []
