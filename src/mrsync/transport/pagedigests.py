"""Digests of pages, computed in a thread at both ends."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from mrsync.tuples import NamedTuple

PageKey = tuple[int, int, int]  # object, page, generation


class PageDigest(NamedTuple):
    """The SHA-256 digest of one reading of a page."""

    key: PageKey
    digest: bytes


def digest_pages(pages: Sequence[tuple[PageKey, bytes]]) -> list[PageDigest]:
    """Return the digests of plaintext pages in the same order. hashlib releases the interpreter lock for such sizes."""
    return [PageDigest(key, hashlib.sha256(data).digest()) for key, data in pages]
