"""Limits on the parts of a tree, the same on both ends."""

from __future__ import annotations

ENTRIES_MAX = 1 << 26
NAME_BYTES_MAX = 255
LINK_BYTES_MAX = 4095
DEPTH_MAX = 4096  # nested directories
FILE_BYTES_MAX = 1 << 47  # of data, without holes; larger files are omitted
KIND_SHIFT = 12  # mode >> KIND_SHIFT is the kind of an entry; no function, as loops over all entries use it
