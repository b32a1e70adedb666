"""Store paths as a tree of names that Directories can walk."""

from __future__ import annotations

from array import array


class PathTree:
    """Every path once, its parents before it. names, parents: columns for Directories; number 0 is the root.

    children: numbers by name, of those that have any.
    """

    def __init__(self) -> None:
        self.names: list[bytes] = [b""]
        self.parents = array("I", [0])
        self.children: dict[int, dict[bytes, int]] = {}

    def __len__(self) -> int:
        return len(self.names)

    def add(self, path: bytes) -> int:
        """Return the number of a path, adding it if it is new; b"" is the root."""
        number = 0
        for name in path.split(b"/") if path else ():
            number = self.add_below(number, name)
        return number

    def add_below(self, parent: int, name: bytes) -> int:
        """Return the number of a name in a directory, adding it if it is new."""
        below = self.children.setdefault(parent, {})
        number = below.get(name)
        if number is None:
            number = below[name] = len(self.names)
            self.names.append(name)
            self.parents.append(parent)
        return number

    def path(self, number: int) -> bytes:
        """Return the path with this number."""
        parts = []
        while number:
            parts.append(self.names[number])
            number = self.parents[number]
        return b"/".join(reversed(parts))
