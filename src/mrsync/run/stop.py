"""A request to end a run early, made from any thread or from a signal handler."""

from __future__ import annotations

from collections.abc import Callable


class Stop:
    """reason: why the run is to end; empty while nobody has asked. The first request counts."""

    def __init__(self) -> None:
        self.reason = ""
        self._on_request: Callable[[], None] | None = None

    def request(self, reason: str) -> bool:
        """Ask the run to end; safe in a signal handler. Return whether the run is listening."""
        is_first, self.reason = not self.reason, self.reason or reason
        if is_first and self._on_request is not None:
            self._on_request()
        return self._on_request is not None

    def listen(self, on_request: Callable[[], None] | None) -> None:
        """Have on_request called at a request, at once if there was one before; None: no longer."""
        self._on_request = on_request
        if self.reason and on_request is not None:
            on_request()
