"""Proofs of pages, and the terms that say how they are made."""

from __future__ import annotations

import pytest

from mrsync.wire.geometry import Geometry
from mrsync.wire.messages import ObjectKind, SealKind
from mrsync.wire.seals.keys import SessionKeys
from mrsync.wire.seals.proofs import DigestProver, Prover, SealProver, prover_of, seal_proof
from mrsync.wire.seals.sealing import PageSealer, has_aes_gcm

KEYS = SessionKeys.derive(bytes(32), 1 << 63)
GEOMETRY = Geometry(100, 3)
KINDS = [SealKind.HMAC_SHA256] + [SealKind.AES_256_GCM] * has_aes_gcm()


SEALED = [SealProver(KEYS.pages, KEYS.session, kind, ObjectKind.CONTENTS, GEOMETRY) for kind in KINDS]


@pytest.mark.parametrize("prover", [DigestProver(), *SEALED])
def test_a_proof_is_of_one_page_only(prover: Prover) -> None:
    again = prover_of(prover.terms)
    proof = prover.prove(3, b"data" * 50)
    assert len(proof) == again.proof_bytes
    assert again.check(3, b"data" * 50, proof)
    assert not again.check(3, b"dat\0" + b"data" * 49, proof)
    assert not again.check(3, b"data" * 49, proof)
    assert not again.check(3, b"data" * 50, bytes(len(proof)))


@pytest.mark.parametrize("kind", KINDS)
def test_the_seal_that_a_page_came_with_is_its_proof(kind: SealKind) -> None:
    data = b"x" * 150
    sealed = PageSealer(KEYS, kind).seal(data, object=ObjectKind.CONTENTS, page=9, generation=2, count=2)
    prover = SealProver(KEYS.pages, KEYS.session, kind, ObjectKind.CONTENTS, GEOMETRY)
    assert prover.check(9, data, seal_proof(2, sealed[-16:]))
    assert not prover.check(8, data, seal_proof(2, sealed[-16:]))
    assert not prover.check(9, data, seal_proof(3, sealed[-16:]))


@pytest.mark.parametrize(
    "terms", ["", "md5", "1 2 3", "1 1 2 100 3 zz", "9 1 2 100 3 " + "00" * 32, "1 1 2 0 3 " + "00" * 32]
)
def test_terms_that_make_no_sense_are_refused(terms: str) -> None:  # fmt: skip
    with pytest.raises(ValueError):  # noqa: PT011 (any sentence)
        prover_of(terms)
