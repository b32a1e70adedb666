"""A fault to plant in the cores, to see that the checkers find it."""

from __future__ import annotations

import inspect
import textwrap
from dataclasses import dataclass
from typing import Any, Protocol

import pytest

from mrsync.protocol.sending import repairs
from mrsync.protocol.targets import endings
from tests.sim.reception import Violation
from tests.sim.scenario import Scenario
from tests.sim.simulation import Result

SEEDS = 12  # to try


class AnyCase(Protocol):
    """A case of targets, relays or islands."""

    @property
    def scenario(self) -> Scenario: ...

    def run(self) -> Result: ...

    def seeded(self, seed: int) -> AnyCase: ...


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

    def is_found_in(self, case: AnyCase) -> bool:
        """Return whether the case fails because of this fault, with its own seed or one of the next.

        Many faults only show when certain packets get lost, and each change of the protocol changes which ones do. With
        another seed, the case must not fail without the fault.
        """
        own = case.scenario.seed
        for seed in range(own, own + SEEDS):
            seeded = case.seeded(seed)
            with pytest.MonkeyPatch.context() as patch:
                self.plant(patch)
                has_failed = _fails(seeded)
            if has_failed and (seed == own or not _fails(seeded)):
                return True
        return False

    def _planted(self) -> Any:
        """The function with the fault in it."""
        function = inspect.getattr_static(self.owner, self.name)
        plain: Any = function.fget if isinstance(function, property) else function
        source = textwrap.dedent(inspect.getsource(plain))
        assert source.count(self.right) == 1, f"{self.right!r} is not where {self.what!r} is to be planted"
        namespace: dict[str, Any] = {}
        exec(source.replace(self.right, self.wrong), plain.__globals__, namespace)
        return namespace[self.name]


def _fails(case: AnyCase) -> bool:
    try:
        case.run()
    except Violation:
        return True
    return False
