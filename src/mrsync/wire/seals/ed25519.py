"""Check Ed25519 signatures (RFC 8032) without any package, for targets that lack `cryptography`.

Points are added with precomputed multiples of the base point and of the public key, so that a check takes less than a
millisecond and no doubling. A check handles no secret, so it need not take constant time. The master signs with
`cryptography`.
"""

from __future__ import annotations

import hashlib
from functools import cache

P = 2**255 - 19
_ORDER = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, -1, P) % P
_ROOT = pow(2, (P - 1) // 4, P)  # of -1
_BASE_Y = 4 * pow(5, -1, P) % P
_WINDOW = 5

Point = tuple[int, int, int, int]  # extended coordinates: X, Y, Z, T, with x = X / Z, y = Y / Z, x * y = T / Z
Table = list[list[Point]]  # [window][digit] -> digit * 2**(_WINDOW * window) * point

_NEUTRAL: Point = (0, 1, 1, 0)


class PublicKey:
    """A public key of 32 bytes; ValueError if it is none."""

    def __init__(self, encoded: bytes) -> None:
        self._encoded = encoded
        x, y, z, t = _decode(encoded)
        self._negated = _multiples((P - x, y, z, P - t))

    def is_signed(self, data: bytes, signature: bytes) -> bool:
        """Return whether a signature is that of this key's owner for the data."""
        if len(signature) != 64:
            return False
        scalar = int.from_bytes(signature[32:], "little")
        if scalar >= _ORDER:
            return False
        challenge = hashlib.sha512(signature[:32] + self._encoded + data).digest()
        point = _sum(_NEUTRAL, _base(), scalar)
        point = _sum(point, self._negated, int.from_bytes(challenge, "little") % _ORDER)
        return _encode(point) == signature[:32]


@cache
def _base() -> Table:
    """Return the multiples of the base point."""
    return _multiples(_decode(_BASE_Y.to_bytes(32, "little")))


def _multiples(point: Point) -> Table:
    table = []
    for _ in range(-(-253 // _WINDOW)):
        row = [_NEUTRAL]
        for _ in range((1 << _WINDOW) - 1):
            row.append(_add(row[-1], point))
        table.append(row)
        point = _add(row[-1], point)
    return table


def _sum(point: Point, table: Table, scalar: int) -> Point:
    """Return point + scalar * the point that the table is of."""
    for row in table:
        digit = scalar & (1 << _WINDOW) - 1
        if digit:
            point = _add(point, row[digit])
        scalar >>= _WINDOW
    return point


def _add(one: Point, other: Point) -> Point:
    """Add two points; complete, so that it doubles as well."""
    x1, y1, z1, t1 = one
    x2, y2, z2, t2 = other
    a = (y1 - x1) * (y2 - x2) % P
    b = (y1 + x1) * (y2 + x2) % P
    c = 2 * _D * t1 % P * t2 % P
    d = 2 * z1 * z2 % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def _decode(encoded: bytes) -> Point:
    """Return the point of an encoding; ValueError if there is none."""
    if len(encoded) != 32:
        raise ValueError("a public key has 32 bytes")
    number = int.from_bytes(encoded, "little")
    y, sign = number & (1 << 255) - 1, number >> 255
    square = (y * y - 1) * pow(_D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * _ROOT % P
    if y >= P or (x * x - square) % P or (not x and sign):
        raise ValueError("these bytes are not a public key")
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


def _encode(point: Point) -> bytes:
    x, y, z, _ = point
    inverse = pow(z, -1, P)
    x, y = x * inverse % P, y * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")
