from __future__ import annotations

import hashlib
import io
import zipfile

import pytest

from mrsync.remote.bundle import CATCHER, make_bundle, needed_sources
from tests.test_architecture import CATCHERS, project_modules, reachable


@pytest.mark.parametrize("entry", CATCHERS)
def test_it_holds_just_what_a_catcher_imports(entry: str) -> None:
    modules = dict(project_modules())
    needed = reachable(entry, modules)
    expected = {str(path).rpartition("/src/")[2] for name, path in modules.items() if name in needed}
    assert set(needed_sources(entry)) == expected
    with zipfile.ZipFile(io.BytesIO(make_bundle(entry).content)) as archive:
        assert set(archive.namelist()) == expected
        assert archive.testzip() is None
    assert entry == CATCHER or len(make_bundle(entry).content) < 0.6 * len(make_bundle().content)
    assert not any(path.startswith(("mrsync/cli/", "mrsync/remote/")) for path in expected)


def test_it_is_the_same_every_time() -> None:
    first = make_bundle()
    make_bundle.cache_clear()
    second = make_bundle()
    assert first == second
    assert first is not second
    assert make_bundle() is second
    assert second.digest == hashlib.sha256(second.content).hexdigest()


def test_its_opening_is_one_line_and_the_archive() -> None:
    bundle = make_bundle()
    line, _, rest = bundle.opening().partition(b"\n")
    assert rest == bundle.content
    assert bundle.digest.encode() in line
    assert line.isascii()
