"""Prove later that a page is the one that came: by its digest if the caster sends digests, else by its seal.

The seal costs nothing, as every page has one. It needs the key of the session's pages, which is kept with the proofs:
so it is used only where all members trust each other anyway. A proof is bytes of a fixed length; the terms, a text, say
how it is made.
"""

from __future__ import annotations

import hashlib
from hmac import compare_digest
from typing import Protocol

from mrsync.wire.geometry import Geometry
from mrsync.wire.limits import PACKETS_PER_PAGE_MAX, SECRET_BYTES, TAG_BYTES
from mrsync.wire.messages import ObjectKind, SealKind
from mrsync.wire.seals.keys import SessionKeys
from mrsync.wire.seals.sealing import PageSealer

DIGEST_TERMS = "sha256"
GENERATION_BYTES = 2
SEAL_PROOF_BYTES = GENERATION_BYTES + TAG_BYTES


class Prover(Protocol):
    """Makes and checks proofs of the pages of one object."""

    proof_bytes: int
    terms: str

    def prove(self, page: int, data: bytes) -> bytes:
        """Return the proof of a page."""

    def check(self, page: int, data: bytes, proof: bytes) -> bool:
        """Return whether this is the proof of the page with this plain data."""


class DigestProver:
    """SHA-256 of a page."""

    proof_bytes = 32
    terms = DIGEST_TERMS

    def prove(self, page: int, data: bytes) -> bytes:
        return hashlib.sha256(data).digest()

    def check(self, page: int, data: bytes, proof: bytes) -> bool:
        return compare_digest(self.prove(page, data), proof)


class SealProver:
    """The generation and the seal of a page. key: of the pages of the session with this id."""

    proof_bytes = SEAL_PROOF_BYTES

    def __init__(self, key: bytes, session: int, kind: SealKind, object: ObjectKind, geometry: Geometry) -> None:
        self.terms = f"{kind:d} {session} {object:d} {geometry.slice_bytes} {geometry.packets} {key.hex()}"
        self._sealer = PageSealer(SessionKeys(session, b"", b"", b"", key, b""), kind)
        self._object = object
        self._slice_bytes = geometry.slice_bytes

    def prove(self, page: int, data: bytes) -> bytes:
        return self._prove(page, data, 0)

    def check(self, page: int, data: bytes, proof: bytes) -> bool:
        generation = int.from_bytes(proof[:GENERATION_BYTES], "big")
        return compare_digest(self._prove(page, data, generation), proof)

    def _prove(self, page: int, data: bytes, generation: int) -> bytes:
        count = -(-(len(data) + TAG_BYTES) // self._slice_bytes)
        sealed = self._sealer.seal(data, object=self._object, page=page, generation=generation, count=count)
        return seal_proof(generation, sealed[-TAG_BYTES:])


def seal_proof(generation: int, tag: bytes) -> bytes:
    """Return the proof that a sealed page came with; empty if there is no tag of the page as it is."""
    if not tag:
        return b""
    return generation.to_bytes(GENERATION_BYTES, "big") + tag


def prover_of(terms: str) -> Prover:
    """Return the prover with these terms. Raise ValueError if they make no sense or its seal cannot be made here."""
    if terms == DIGEST_TERMS:
        return DigestProver()
    kind, session, object, slice_bytes, packets, key = terms.split(" ")
    geometry = Geometry(int(slice_bytes), int(packets))
    secret = bytes.fromhex(key)
    if len(secret) != SECRET_BYTES or not 0 < geometry.slice_bytes < 1 << 16 or not 0 <= int(session) < 1 << 64:
        raise ValueError("impossible terms")
    if not 0 < geometry.packets <= PACKETS_PER_PAGE_MAX:
        raise ValueError("impossible terms")
    return SealProver(secret, int(session), SealKind(int(kind)), ObjectKind(int(object)), geometry)
