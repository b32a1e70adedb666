"""Bootstrap: what is believed of the line by which a catcher says that it is ready."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest

from mrsync.errors import ExitStatus
from mrsync.remote.reasons import own_words
from mrsync.run.bootstrap import Readiness, _read_line
from mrsync.run.settings import Invitation


@pytest.mark.parametrize("ready", [Readiness("10.0.0.1", 4001), Readiness("2001:db8::1", 1)])
def test_a_line_of_readiness_is_decoded_as_it_was_encoded(ready: Readiness) -> None:
    assert Readiness.decode(ready.encode().encode()) == ready


@pytest.mark.parametrize(
    "line",
    [
        b'{"ready": true}',
        b'{"ready": true, "address": "10.0.0.1"}',
        b'{"ready": true, "address": "ten", "port": 4001}',
        b'{"ready": true, "address": ["10.0.0.1"], "port": 4001}',
        b'{"ready": true, "address": "10.0.0.1%lo", "port": 4001}',  # a name server would be asked for the scope
        b'{"ready": true, "address": "fe80::1%lo", "port": 4001}',
        b'{"ready": true, "address": "10.0.0.1\\u0000", "port": 4001}',
        b'{"ready": true, "address": "\\ud800", "port": 4001}',
        b'{"ready": true, "address": "10.0.0.1", "port": 0}',
        b'{"ready": true, "address": "10.0.0.1", "port": 65536}',
        b'{"ready": true, "address": "10.0.0.1", "port": "4001"}',
        b'{"ready": true, "address": "10.0.0.1", "port": ' + b"9" * 5000 + b"}",
        b'{"ready": ' + b"[" * 100_000,
        b'{"ready": true, "address": "10.0.0.1", "po',
        b'{"ready": \xff}',
    ],
)
def test_a_catcher_is_ready_even_if_its_address_makes_no_sense(line: bytes) -> None:
    assert Readiness.decode(line) == Readiness()


@pytest.mark.parametrize("line", [b"", b"ready", b' {"ready": true}', b"warning: no such user"])
def test_any_other_line_is_none(line: bytes) -> None:
    assert Readiness.decode(line) is None


def test_half_a_line_is_the_end_of_the_master() -> None:
    stdin = io.BytesIO(b"the parameters\nhalf of a secr")
    assert _read_line(stdin) == b"the parameters\n"
    with pytest.raises(EOFError):
        _read_line(stdin)


@pytest.mark.parametrize(
    ("work", "words"),
    [
        ("[os.dup(0) for _ in range(9)]", "(ulimit -n)"),
        ("bytearray(1 << 62)", "(ulimit -v"),
        ("_thread.start_new_thread(print, ())", "(ulimit -u"),
    ],
)
def test_too_little_of_anything_is_one_sentence(work: str, words: str) -> None:
    code = f"""if True:
        import _thread, os, resource, sys
        from mrsync.run.bootstrap import run_program
        resource.setrlimit(resource.RLIMIT_NOFILE, (8, 8))
        def run(settings):
            resource.setrlimit(resource.RLIMIT_AS, (1 << 20, 1 << 20))
            {work}
        sys.exit(run_program("verifier", run, "a"))"""
    invitation = Invitation(("a",), b"/dest", bytes(32)).encode()
    done = subprocess.run([sys.executable, "-c", code], input=invitation, capture_output=True, check=False)
    assert done.returncode == ExitStatus.START
    (line,) = done.stderr.decode().splitlines()
    assert words in own_words([line])
