"""The fields of fixed width of a message, as one table: their names, their bytes in order, their tags in the docs."""

from __future__ import annotations

import struct
from typing import Any

from mrsync.wire.header import BytesLike


class Layout:
    """A table of fields, one after the other, big-endian.

    fields: (name, struct code, tag in docs/protocol.md) for each. Names are those of the message's attributes.
    is_saturating: a number that is too large for its field is sent as the largest that fits. It is for counts: a total
    that looks too small is better than a session that ends.
    """

    def __init__(self, *fields: tuple[str, str, str], is_saturating: bool = False) -> None:
        self.names = tuple(name for name, _, _ in fields)
        self.tags = tuple(tag for _, _, tag in fields)
        self._struct = struct.Struct(">" + "".join(code for _, code, _ in fields))
        self.size = self._struct.size
        self._limits = {
            name: (1 << 8 * struct.calcsize(f">{code}")) - 1
            for name, code, _ in fields
            if is_saturating and not code.endswith("s")
        }

    def pack(self, message: object, **others: Any) -> bytes:
        """Return the fields of a message as bytes. others: values of fields that are not its attributes.

        Raise struct.error for a number that is negative or does not fit.
        """
        values = [others[name] if name in others else getattr(message, name) for name in self.names]
        if self._limits:
            values = [min(value, self._limits.get(name, value)) for name, value in zip(self.names, values)]
        return self._struct.pack(*values)

    def unpack_from(self, body: BytesLike, offset: int = 0) -> dict[str, Any]:
        """Return the fields at an offset by name. Raise struct.error if the body is too short."""
        return dict(zip(self.names, self._struct.unpack_from(body, offset)))

    def unpack(self, body: BytesLike) -> dict[str, Any]:
        """Return the fields of a body that has nothing else. Raise struct.error if it is longer or shorter."""
        return dict(zip(self.names, self._struct.unpack(body)))
