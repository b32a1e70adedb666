"""Digests of pages as a thread makes them, at either end."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

PageKey = tuple[int, int, int]  # object, page, generation


class PageDigest(NamedTuple):
    """SHA-256 of one reading of a page."""

    key: PageKey
    digest: bytes


def digest_pages(pages: Sequence[tuple[PageKey, bytes]]) -> list[PageDigest]:
    """Those of plain pages, in the same order; without the interpreter's lock while it hashes."""
    return [PageDigest(key, hashlib.sha256(data).digest()) for key, data in pages]
