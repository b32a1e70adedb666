"""What all tests share: how hypothesis runs, that nobody's own settings count, and how workers keep apart."""

from __future__ import annotations

import atexit
import gc
import os
import shutil
import tempfile
from collections.abc import Iterator
from datetime import date

import hypothesis
import pytest

from tests.support import branches

_branches = branches.measured()  # before the other imports

from tests.support import namespaces, turnstile  # noqa: E402
from tests.support.failures import Failures  # noqa: E402

os.environ.setdefault("MRSYNC_DAY", str(date.today().toordinal()))  # for tests/support/rotation.py
os.environ["XDG_CONFIG_HOME"] = "/dev/null"
os.environ["XDG_STATE_HOME"] = tempfile.mkdtemp(prefix="mrsync-state-")  # for records of syncs
atexit.register(shutil.rmtree, os.environ["XDG_STATE_HOME"], ignore_errors=True)

# hypothesis itself picks a reproducible profile where CI is set; elsewhere it explores, without judging the speed.
if "CI" not in os.environ:
    hypothesis.settings.register_profile("explore", deadline=None)
    hypothesis.settings.load_profile("explore")

WORKERS_PER_CORE = 3  # most tests wait for packets, timers and programs rather than compute


def pytest_xdist_auto_num_workers() -> int:
    """How many workers `-n auto` starts."""
    return WORKERS_PER_CORE * len(os.sched_getaffinity(0))


@pytest.hookimpl(trylast=True)  # the terminal comes first
def pytest_configure(config: pytest.Config) -> None:
    terminal = config.pluginmanager.getplugin("terminalreporter")
    if terminal is not None:  # a worker has none
        config.pluginmanager.register(Failures(terminal))
    if _branches is not None:
        config.pluginmanager.register(_branches)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put whole programs first and short tests last, so that no worker ends long before the others.

    Tests that need the machine come at the very end, so that few others wait for them.
    """
    items.sort(key=lambda item: (is_alone(item), item.nodeid.startswith("tests/unit/")))


def pytest_collection_finish() -> None:
    """Keep thousands of tests out of garbage collections, which costs a tenth of a simulation's time."""
    gc.collect()
    gc.freeze()


def is_alone(item: pytest.Item) -> bool:
    return item.get_closest_marker("alone") is not None


def pytest_sessionstart(session: pytest.Session) -> None:
    is_conductor = bool(session.config.getoption("numprocesses", None)) and not hasattr(session.config, "workerinput")
    if not is_conductor and not session.config.option.collectonly:
        namespaces.enter()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Outermost, so that waiting for one's turn is not counted in the test's time."""
    with turnstile.passed(alone=is_alone(item)):
        return (yield)
