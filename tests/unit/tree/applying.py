"""A synclist done by the simplest means, to judge what a list says; shares no code with mrsync but the items."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from contextlib import suppress

from mrsync.tree.lists.synclist import Instruction, Item


def apply(items: Sequence[Item], source: bytes, dest: bytes) -> None:
    """Delete, make, copy and link exactly what is listed; then give touched directories the source's times."""
    touched = {os.path.dirname(item.path) for item in items}
    for item in sorted(
        (item for item in items if item.kind is Instruction.DELETING), key=lambda item: -item.path.count(b"/")
    ):
        path = os.path.join(dest, item.path)
        os.rmdir(path) if os.path.isdir(path) and not os.path.islink(path) else os.unlink(path)
    listed = [item for item in items if item.kind is not Instruction.DELETING]
    sent: dict[int, bytes] = {}  # inode there -> path here
    ranks = {Instruction.ATTRIBUTES: 1, Instruction.HARDLINK: 2}
    for item in sorted(listed, key=lambda item: (ranks.get(item.kind, 0), item.path.count(b"/"))):
        leader = sent.get(os.lstat(os.path.join(source, item.path)).st_ino)
        if leader is not None and item.kind in (Instruction.FILE, Instruction.ATTRIBUTES):
            item = Item(Instruction.HARDLINK, item.path, leader)
        _apply_one(item, source, dest)
        if item.kind is Instruction.FILE:
            sent[os.lstat(os.path.join(source, item.path)).st_ino] = item.path
    touched.update(item.path for item in listed if item.kind is Instruction.DIRECTORY)
    for directory in sorted(touched, key=lambda path: -path.count(b"/")):
        with suppress(OSError):  # gone, or under what has become a file or a link
            shutil.copystat(os.path.join(source, directory), os.path.join(dest, directory), follow_symlinks=False)


def _apply_one(item: Item, source: bytes, dest: bytes) -> None:
    wanted, path = os.path.join(source, item.path), os.path.join(dest, item.path)
    if item.kind is Instruction.ATTRIBUTES:
        shutil.copystat(wanted, path, follow_symlinks=False)
        return
    is_directory = os.path.isdir(path) and not os.path.islink(path)
    if item.kind is Instruction.DIRECTORY and is_directory:
        return
    if is_directory:
        os.rmdir(path)  # what was in it has been listed, too
    elif os.path.lexists(path):
        os.unlink(path)
    if item.kind is Instruction.DIRECTORY:
        os.mkdir(path)
    elif item.kind is Instruction.HARDLINK:
        os.link(os.path.join(dest, item.other), path)
    elif item.kind is Instruction.SYMLINK:
        os.symlink(item.other, path)
        shutil.copystat(wanted, path, follow_symlinks=False)
    else:
        shutil.copy2(wanted, path, follow_symlinks=False)
