"""Divide files into parts, each of which has its own proof.

A contents object is cut into pages, whatever files are in it. A page that belongs to a single file is proven by the
digest or the seal with which it arrived. A page that several files share is not, because one of them may change in a
later sync: each of their parts has a digest of its own. So a file has at most two such parts, its head and its tail.

A file that was only compared with the master's digest (--checksum) came in no object. It is one part, with that digest.
"""

from __future__ import annotations

from mrsync.tuples import NamedTuple

DIGEST_BYTES = 32  # SHA-256


class Division(NamedTuple):
    """The parts of a file: the bytes of its head, its own pages [first, end), and the bytes of its tail."""

    head: int
    first: int
    end: int
    tail: int


class Grid(NamedTuple):
    """The pages of one contents object. proof_bytes: length of the proof of a page. terms: how it is made; opaque."""

    page_bytes: int
    contents_bytes: int
    proof_bytes: int
    terms: str

    @property
    def is_whole(self) -> bool:
        """Whether this is the grid of files that were compared by their digests."""
        return self.terms == WHOLE.terms

    def divide(self, start: int, length: int) -> Division:
        """Return the parts of a file that begins at this offset of the contents object; length is at least 1."""
        if self.is_whole:
            return Division(0, 0, 1, 0)
        size, end = self.page_bytes, start + length
        first, last = start // size, (end - 1) // size
        begins = start == first * size
        ends = end == min((last + 1) * size, self.contents_bytes)
        if first == last:
            return Division(0, first, first + 1, 0) if begins and ends else Division(length, first, first, 0)
        head = 0 if begins else (first + 1) * size - start
        tail = 0 if ends else end - last * size
        return Division(head, first + (head > 0), last + (tail == 0), tail)

    def proof_length(self, division: Division) -> int:
        """Return the length of the proof of a file with these parts."""
        edges = (division.head > 0) + (division.tail > 0)
        return edges * DIGEST_BYTES + (division.end - division.first) * self.proof_bytes


WHOLE = Grid(
    page_bytes=1 << 20, contents_bytes=0, proof_bytes=16, terms="whole file"
)  # one digest of `tree.fs.digests`
