"""Labs for tests; where none can be built, every test that wants one is skipped with the reason."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Protocol

import pytest

from tests.netns.lab import Lab, missing_requirement


class MakeLab(Protocol):
    def __call__(
        self,
        target_count: int,
        *,
        rate: str | None = None,
        mtu: int = 1500,
        has_bursts: bool = False,
        is_ipv6: bool = False,
    ) -> Lab: ...


@pytest.fixture(scope="session")
def _requirement() -> str | None:
    return missing_requirement()


@pytest.fixture
def make_lab(_requirement: str | None) -> Iterator[MakeLab]:
    """Builds labs that are gone when the test is over."""
    if _requirement is not None:
        pytest.skip(_requirement)
    with ExitStack() as labs:

        def make(
            target_count: int,
            *,
            rate: str | None = None,
            mtu: int = 1500,
            has_bursts: bool = False,
            is_ipv6: bool = False,
        ) -> Lab:
            lab = Lab(target_count, rate=rate, mtu=mtu, has_bursts=has_bursts, is_ipv6=is_ipv6)
            return labs.enter_context(lab)

        yield make
