"""A sandbox that lacks socket options, as gVisor and emulators do: a filter of system calls, inherited by children."""

from __future__ import annotations

import ctypes
import errno
import platform
import struct
import sys
from collections.abc import Sequence

_NUMBERS = {"x86_64": (54, 55), "aarch64": (208, 209)}  # setsockopt, getsockopt
_LOAD, _JUMP_EQUAL, _RETURN = 0x20, 0x15, 0x06  # BPF_LD|W|ABS, BPF_JMP|JEQ|K, BPF_RET|K
_ALLOW, _FAIL = 0x7FFF0000, 0x00050000 | errno.ENOPROTOOPT
_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _MODE_FILTER = 38, 22, 2
_ARGUMENTS_AT = 16  # of struct seccomp_data; each has 8 bytes

Option = tuple[int, int]  # level, number


def is_possible() -> bool:
    """Whether this machine's system calls are known here."""
    return platform.machine() in _NUMBERS and sys.byteorder == "little"


def lack(options: Sequence[Option]) -> None:
    """From now on this process and its children can neither set nor read these. Raises OSError."""
    code: list[tuple[int, int, int, int]] = []
    for call in _NUMBERS[platform.machine()]:
        for level, number in options:
            conditions = ((0, call), (_ARGUMENTS_AT + 8, level), (_ARGUMENTS_AT + 16, number))
            for left, (offset, value) in zip((5, 3, 1), conditions, strict=True):
                code += [(_LOAD, 0, 0, offset), (_JUMP_EQUAL, 0, left, value)]
            code.append((_RETURN, 0, 0, _FAIL))
    code.append((_RETURN, 0, 0, _ALLOW))
    packed = b"".join(struct.pack("HBBI", *instruction) for instruction in code)
    room = ctypes.create_string_buffer(packed, len(packed))
    program = struct.pack("HxxxxxxP", len(code), ctypes.addressof(room))
    libc = ctypes.CDLL(None, use_errno=True)
    for arguments in ((_PR_SET_NO_NEW_PRIVS, 1, 0), (_PR_SET_SECCOMP, _MODE_FILTER, program)):
        if libc.prctl(*arguments, 0, 0):
            raise OSError(ctypes.get_errno(), "no filter can be set")
