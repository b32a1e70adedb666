"""A fault to plant in the cores, to see that the checkers find it."""

from __future__ import annotations

import inspect
import textwrap
from dataclasses import dataclass
from typing import Any

import pytest

from mrsync.protocol.sending import repairs
from mrsync.protocol.targets import endings


@dataclass(frozen=True)
class Fault:
    """In `owner`'s function `name`, `right` becomes `wrong`."""

    what: str
    owner: Any
    name: str
    right: str
    wrong: str
    found_by: str = "loss"  # a case
    also: Fault | None = None  # where another part of the core makes up for this one

    def plant(self, patch: pytest.MonkeyPatch) -> None:
        """Put the fault in, wherever the function is known."""
        planted = self._planted()
        patch.setattr(self.owner, self.name, planted)
        for importer in (endings, repairs):
            if inspect.ismodule(self.owner) and hasattr(importer, self.name):
                patch.setattr(importer, self.name, planted)
        if self.also is not None:
            self.also.plant(patch)

    def _planted(self) -> Any:
        """The function with the fault in it."""
        function = inspect.getattr_static(self.owner, self.name)
        plain: Any = function.fget if isinstance(function, property) else function
        source = textwrap.dedent(inspect.getsource(plain))
        assert source.count(self.right) == 1, f"{self.right!r} is not where {self.what!r} is to be planted"
        namespace: dict[str, Any] = {}
        exec(source.replace(self.right, self.wrong), plain.__globals__, namespace)
        return namespace[self.name]
