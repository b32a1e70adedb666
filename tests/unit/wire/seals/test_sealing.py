"""Seals: what was sealed opens, and nothing else; every label of a page is sealed with it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mrsync
from mrsync.wire.limits import TAG_BYTES
from mrsync.wire.messages import SealKind
from mrsync.wire.seals.keys import SessionKeys
from mrsync.wire.seals.sealing import PageSealer, Sealer, has_aes_gcm, sealer, seals_here
from tests.unit.wire.samples import KEYS, SECRET, SESSION

KINDS = [
    SealKind.HMAC_SHA256,
    pytest.param(
        SealKind.AES_256_GCM, marks=pytest.mark.skipif(not has_aes_gcm(), reason="needs the package cryptography")
    ),
]
NONCE = bytes(12)
LABELS = {"object": 2, "page": 70000, "generation": 3, "count": 44}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> SealKind:
    assert isinstance(request.param, SealKind)
    return request.param


@pytest.fixture
def seal(kind: SealKind) -> Sealer:
    return sealer(kind, KEYS.reports)


@pytest.mark.parametrize("data", [b"", b"x", bytes(range(256)) * 250])
@pytest.mark.parametrize("buffer", [bytes, bytearray, memoryview])
def test_sealed_pages_can_be_opened(seal: Sealer, data: bytes, buffer: type) -> None:
    sealed = seal.seal(buffer(data), nonce=NONCE, context=b"context")
    assert len(sealed) == len(data) + TAG_BYTES
    assert seal.open(buffer(sealed), nonce=NONCE, context=b"context") == data


@given(st.data())
def test_a_flipped_bit_anywhere_is_noticed(data: st.DataObject) -> None:
    kinds = [SealKind.HMAC_SHA256] + [SealKind.AES_256_GCM] * has_aes_gcm()
    seal = sealer(data.draw(st.sampled_from(kinds)), KEYS.reports)
    sealed = bytearray(seal.seal(b"a page of some bytes", nonce=NONCE, context=b"context"))
    bit = data.draw(st.integers(0, 8 * len(sealed) - 1))
    sealed[bit // 8] ^= 1 << bit % 8
    assert seal.open(sealed, nonce=NONCE, context=b"context") is None


def test_another_context_key_or_length_is_noticed(kind: SealKind, seal: Sealer) -> None:
    sealed = seal.seal(b"data", nonce=NONCE, context=b"context")
    assert seal.open(sealed, nonce=NONCE, context=b"contexs") is None
    assert sealer(kind, KEYS.pages).open(sealed, nonce=NONCE, context=b"context") is None
    for length in range(len(sealed)):
        assert seal.open(sealed[:length], nonce=NONCE, context=b"context") is None


def test_pages_open_with_their_labels_only(kind: SealKind) -> None:
    pages = PageSealer(KEYS, kind)
    sealed = pages.seal(b"contents", **LABELS)
    assert PageSealer(SessionKeys.derive(SECRET, SESSION), kind).open(sealed, **LABELS) == b"contents"
    for label, value in LABELS.items():
        assert pages.open(sealed, **{**LABELS, label: value + 1}) is None, label
    assert PageSealer(SessionKeys.derive(SECRET, SESSION + 1), kind).open(sealed, **LABELS) is None


def test_gcm_hides_and_hmac_does_not() -> None:
    assert b"contents" in sealer(SealKind.HMAC_SHA256, KEYS.pages).seal(b"contents", nonce=NONCE, context=b"")
    if has_aes_gcm():
        assert b"contents" not in sealer(SealKind.AES_256_GCM, KEYS.pages).seal(b"contents", nonce=NONCE, context=b"")


def test_a_seal_must_be_chosen() -> None:
    with pytest.raises(ValueError, match="chosen"):
        sealer(SealKind.NONE, KEYS.pages)


def test_hmac_is_here_always() -> None:
    here = 1 << SealKind.HMAC_SHA256 | has_aes_gcm() << SealKind.AES_256_GCM | 1 << SealKind.ED25519
    assert seals_here() == here


def test_a_host_without_cryptography_has_hmac() -> None:
    program = f"""
import sys
sys.path.insert(0, {str(Path(mrsync.__file__).parents[1])!r})
sys.modules["cryptography"] = None
from mrsync.wire.seals.sealing import has_aes_gcm, sealer, seals_here
from mrsync.wire.messages import SealKind
assert not has_aes_gcm() and seals_here() == 1 << SealKind.HMAC_SHA256 | 1 << SealKind.ED25519
try:
    sealer(SealKind.AES_256_GCM, bytes(32))
except ValueError as error:
    print(error)
"""
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert finished.stdout == "AES-256-GCM needs the Python package cryptography\n"


def test_importing_sealing_does_not_import_cryptography() -> None:
    program = f"""
import sys
sys.path.insert(0, {str(Path(mrsync.__file__).parents[1])!r})
import mrsync.wire.seals.sealing
print("cryptography" in sys.modules)
"""
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert finished.stdout == "False\n"


@pytest.mark.parametrize("kind", [SealKind.HMAC_SHA256, SealKind.AES_256_GCM])
def test_sealing_into_memory_gives_the_same_bytes(kind: SealKind) -> None:
    pages = PageSealer(SessionKeys.derive(bytes(32), 7), kind)
    data = bytes(range(256)) * 9
    room = memoryview(bytearray(b"\xff" * (len(data) + TAG_BYTES)))
    pages.seal_into(room, data, object=2, page=5, generation=1, count=3)
    assert room == pages.seal(data, object=2, page=5, generation=1, count=3)
