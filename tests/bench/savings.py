"""What need not be cast again, in pages and bytes: after a break, and where targets have older copies."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench.figures import Figure
from tests.whole.site import MEGABYTE, Ended, Site
from tests.whole.test_resume import start_and_wait, write_big

MEMORY = "/dev/shm"
COPIES = 3  # source, old copy, staged file


def unchanged_bytes(
    append_megabytes: int = 1024, change_megabytes: int = 4096, break_megabytes: int = 512
) -> Iterator[Figure]:
    """To one target; large files are made smaller where memory is short."""
    room = shutil.disk_usage(MEMORY).free // MEGABYTE // (COPIES + 1)
    size = min(append_megabytes, room)
    ended = delta(size, append_a_byte)
    yield Figure(
        f"{size} MB, one byte appended, --delta",
        ended.report["pages_sent"],
        "pages",
        2,
        is_less_better=True,
        note=wire(ended),
    )
    size = min(change_megabytes, room)
    ended = delta(size, change_a_megabyte)
    yield Figure(
        f"{size} MB, one MB changed, --delta",
        ended.report["pages_sent"],
        "pages",
        18,
        is_less_better=True,
        note=wire(ended),
    )
    with memory_site() as site:
        write_big(site, break_megabytes)
        run, _ = start_and_wait(site, 0.5, megabytes=break_megabytes, rate="100M")
        run.kill()
        run.wait()
        ended = finished(site.sync())
    share = 100 * ended.report["pages_sent"] / ended.report["pages"]
    yield Figure(
        f"{break_megabytes} MB, killed after half of it, again", share, "%", 52, is_less_better=True, note=wire(ended)
    )


def delta(megabytes: int, change: Callable[[Path], None]) -> Ended:
    """A run after a change of one large file."""
    with memory_site() as site:
        site.source.mkdir()
        path = site.source / "big"
        with open(path, "wb") as file:
            for _ in range(megabytes):
                file.write(os.urandom(MEGABYTE))
        site.dest("a").mkdir()
        shutil.copy2(path, site.dest("a"))
        change(path)
        return finished(site.start("--delta").wait(timeout_s=600))


def append_a_byte(path: Path) -> None:
    with open(path, "ab") as file:
        file.write(b"x")


def change_a_megabyte(path: Path) -> None:
    with open(path, "r+b") as file:
        file.seek(path.stat().st_size // 2 + 12345)
        file.write(os.urandom(MEGABYTE))


@contextmanager
def memory_site() -> Iterator[Site]:
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        yield Site(Path(folder), ("a",))


def finished(ended: Ended) -> Ended:
    if ended.status:
        raise RuntimeError(f"mrsync ended with {ended.status}: {ended.stderr}")
    return ended


def wire(ended: Ended) -> str:
    return f"{ended.report['bytes_sent'] / 1e6:.1f} MB in all, of {ended.report['pages']} pages"
