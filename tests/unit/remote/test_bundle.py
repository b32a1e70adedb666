from __future__ import annotations

import hashlib
import marshal
import subprocess
import sys
import types
import zlib
from pathlib import Path

import pytest

import mrsync
from mrsync.remote.bundle import BYTECODE, CATCHER, MARSHAL_VERSION, Bundle, make_bundle, needed_sources, opening_for
from mrsync.remote.command import MARKER, CatcherCommand
from tests.test_architecture import CATCHERS, project_modules, reachable


@pytest.mark.parametrize("entry", CATCHERS)
def test_it_holds_just_the_imports_of_a_catcher(entry: str) -> None:
    modules = dict(project_modules())
    needed = reachable(entry, modules)
    expected = {str(path).rpartition("/src/")[2] for name, path in modules.items() if name in needed}
    assert set(needed_sources(entry)) == expected
    paths = {
        name.replace(".", "/") + ("/__init__.py" if p else ".py")
        for name, (p, _) in unpacked(make_bundle(entry)).items()
    }
    assert paths == expected
    assert entry == CATCHER or len(make_bundle(entry).content) < 0.6 * len(make_bundle().content)
    assert not any(path.startswith(("mrsync/cli/", "mrsync/remote/")) for path in expected)


def test_code_is_that_of_the_sources() -> None:
    sources, codes = unpacked(make_bundle()), unpacked(make_bundle(is_code=True))
    assert sources.keys() == codes.keys()
    for name, (is_package, code) in codes.items():
        assert sources[name][0] == is_package
        assert isinstance(code, bytes)
        loaded = marshal.loads(code)
        assert isinstance(loaded, types.CodeType)
        assert loaded.co_filename.endswith(name.replace(".", "/") + ("/__init__.py" if is_package else ".py"))


def test_it_is_the_same_every_time() -> None:
    assert make_bundle() == make_bundle()
    assert make_bundle().digest == hashlib.sha256(make_bundle().content).hexdigest()


def test_compiled_code_goes_only_to_the_same_python() -> None:
    code, source = make_bundle(is_code=True).opening(), make_bundle().opening()
    assert opening_for(CATCHER, BYTECODE) == code
    for other in (b"", b"None", BYTECODE[:-1], b"b'o\\r\\r\\n'"):
        assert opening_for(CATCHER, other) == source
    assert opening_for(CATCHER, BYTECODE) is opening_for(CATCHER, BYTECODE)  # is made once for all targets


@pytest.mark.parametrize("is_code", [True, False])
def test_the_same_python_runs_bytecode_and_source(is_code: bool) -> None:
    opening = make_bundle(is_code=is_code).opening()
    command = ["sh", "-c", CatcherCommand(sys.executable).on("node1")]
    done = subprocess.run(command, input=opening + b"{}\n", capture_output=True, check=False)
    assert done.stdout.strip() == MARKER + b" " + BYTECODE
    assert done.stderr.startswith(b"multicatcher: the parameters on stdin make no sense")


# A catcher that shows at its exit whether Python has objects left in which it would search for garbage.
ENDING = """
import atexit, gc
def catch_from_stdin(target):
    atexit.register(lambda: print(target, gc.get_freeze_count() > len(gc.get_objects())))
    return 7
"""


def test_its_exit_searches_for_no_garbage() -> None:
    content = zlib.compress(marshal.dumps({"ending": (False, ENDING)}, MARSHAL_VERSION))
    bundle = Bundle(content, hashlib.sha256(content).hexdigest(), "ending")
    command = ["sh", "-c", CatcherCommand(sys.executable).on("node1")]
    done = subprocess.run(command, input=bundle.opening(), capture_output=True, check=False)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (7, b"node1 True")


def test_its_opening_is_a_short_line_the_loader_and_the_blob() -> None:
    bundle = make_bundle()
    line, _, rest = bundle.opening().partition(b"\n")
    assert len(line) < 500
    loader = rest.removesuffix(bundle.content)
    assert loader == (Path(mrsync.__file__).parent / "remote/loader.py").read_bytes()
    assert bundle.digest.encode() in line
    assert (line + loader).isascii()


def unpacked(bundle: Bundle) -> dict[str, tuple[bool, bytes | str]]:
    modules: dict[str, tuple[bool, bytes | str]] = marshal.loads(zlib.decompress(bundle.content))
    return modules
