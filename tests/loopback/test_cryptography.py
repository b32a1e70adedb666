"""A target with the package cryptography that its distribution has: it takes part, encrypted, or as one without."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from mrsync.remote.keyfile import read_keys
from mrsync.run.settings import Invitation, Network
from tests.loopback.cryptographies import VERSIONS, find_cryptography
from tests.programs import SOURCE, program
from tests.trees import build_awkward_tree, differences, remove_tree

START = (
    "import sys; sys.path[:0] = sys.argv[1:];from mrsync.run.catch.catch import catch_from_stdin as c; sys.exit(c('a'))"
)
SEAL = """
import sys; sys.path[:0] = sys.argv[1:]
from mrsync.wire.messages import SealKind
from mrsync.wire.seals.sealing import has_aes_gcm, sealer
assert has_aes_gcm()
for made in (bytes, bytearray, memoryview):
    seal = sealer(SealKind.AES_256_GCM, bytes(32))
    sealed = bytearray(seal.seal(made(b"page"), nonce=bytes(12), context=b""))
    assert seal.open(made(sealed), nonce=bytes(12), context=b"") == b"page"
    room = memoryview(bytearray(20))
    seal.seal_into(room, made(b"page"), nonce=bytes(12), context=b"")
    assert room == sealed
    sealed[0] ^= 1
    assert seal.open(made(sealed), nonce=bytes(12), context=b"") is None
"""
BROKEN = {
    "its API is another one": "class AESGCM:\n    def __init__(self, key): raise TypeError('old')",
    "it opens what is damaged": (
        "class AESGCM:\n    def __init__(self, key): pass\n"
        "    def encrypt(self, nonce, data, more): return bytes(data)\n"
        "    def decrypt(self, nonce, data, more): return bytes(data)"
    ),
    "its C part is missing": "raise type('PanicException', (BaseException,), {})('Python API call failed')",
}
CATCHER_WAIT_S = 60


@pytest.fixture(params=VERSIONS, ids=lambda version: version or "newest")
def package(request: pytest.FixtureRequest) -> Path:
    found = find_cryptography(request.param)
    if found is None:
        pytest.skip(f"cryptography {request.param or '(newest)'} cannot be installed here")
    return found


def run_python(script: str, *paths: Path) -> subprocess.CompletedProcess[str]:
    """Without installed packages, but with these directories on sys.path."""
    command = [sys.executable, "-I", "-S", "-c", script, *map(str, paths)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=CATCHER_WAIT_S)


def test_pages_are_sealed_and_opened_with_every_version(package: Path) -> None:
    done = run_python(SEAL, SOURCE, package)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("how", BROKEN)
def test_a_package_that_does_not_work_is_as_good_as_none(how: str, tmp_path: Path) -> None:
    folder = tmp_path / "cryptography/hazmat/primitives/ciphers"
    folder.mkdir(parents=True)
    (folder / "aead.py").write_text(BROKEN[how] + "\n")
    (tmp_path / "cryptography/exceptions.py").write_text("class InvalidTag(Exception): pass\n")
    asked = (
        "import sys; sys.path[:0] = sys.argv[1:]; from mrsync.wire.seals.sealing import *; "
        "print(has_aes_gcm(), seals_here())"
    )
    done = run_python(asked, SOURCE, tmp_path)
    assert (done.returncode, done.stdout) == (0, "False 10\n"), done.stderr


def test_a_target_with_this_version_takes_part_and_is_sent_encrypted(package: Path, tmp_path: Path) -> None:
    build_awkward_tree(tmp_path / "source", seed=3)
    key = tmp_path / "key"
    key.write_text("the key of this test, and no other")
    key.chmod(0o600)
    group, port = f"239.255.77.{random.randrange(1, 255)}", random.randrange(20000, 32000, 2)
    network = Network(group, port, interface="lo")
    invitation = Invitation(("a",), os.fsencode(tmp_path / "dest"), read_keys(str(key)).group, network)
    command = [sys.executable, "-I", "-S", "-c", START, str(SOURCE), str(package)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as catcher:
        assert catcher.stdin is not None
        catcher.stdin.write(invitation.encode())
        catcher.stdin.flush()
        cast = program(
            "multicaster", "-m", "a", "-s", tmp_path / "source", "--key-file", key,
            "-A", group, "-P", port, "-I", "lo", "-L", "-w", 20, "--encrypt",
            "--progress", "none",
        )  # fmt: skip
        caster = subprocess.run(cast, capture_output=True, text=True, check=False, timeout=CATCHER_WAIT_S)
        said, _ = catcher.communicate(timeout=CATCHER_WAIT_S)
    assert (caster.returncode, caster.stderr) == (0, ""), said.decode()
    assert catcher.returncode == 0, said.decode()
    assert differences(tmp_path / "source", tmp_path / "dest") == []
    for tree in ("source", "dest"):
        remove_tree(tmp_path / tree)
