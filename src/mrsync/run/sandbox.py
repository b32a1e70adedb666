"""Restrict a catcher's process to what a sync needs, so that a compromised one can do little harm.

Three mechanisms of Linux are used as far as the kernel has them: no_new_privs (prctl(2)), dropped capabilities
(capabilities(7)), and Landlock rules (landlock(7)), which deny to execute programs and to change names and contents
outside of the destination, and to send signals to other processes. Restrictions apply to the calling thread and to
threads that it starts later, and can never be lifted. Landlock does not cover the system calls that change owner, mode,
times and attributes.
"""

from __future__ import annotations

import os
import resource
import struct
from collections.abc import Iterable

from mrsync.c_library import c_library, last_failure
from mrsync.files import NAMED

# prctl(2)
_SET_DUMPABLE, _SET_NO_NEW_PRIVS, _GET_NO_NEW_PRIVS = 4, 38, 39
# capabilities(7)
_CAPABILITY_VERSION = 0x20080522
_CHOWN, _DAC_OVERRIDE, _DAC_READ_SEARCH, _FOWNER, _FSETID = range(5)
_NET_BIND_SERVICE, _NET_ADMIN, _NET_RAW = 10, 12, 13
_SYS_ADMIN, _SYS_RESOURCE, _MKNOD, _SETFCAP, _MAC_ADMIN = 21, 24, 27, 31, 33
_FILES = {_CHOWN, _DAC_OVERRIDE, _DAC_READ_SEARCH, _FOWNER, _FSETID, _SYS_RESOURCE}
_XATTRS = {_SETFCAP, _SYS_ADMIN, _MAC_ADMIN}  # trusted.*, security.*
_SOCKETS = {_NET_BIND_SERVICE, _NET_ADMIN, _NET_RAW}
# landlock(7); its system calls have the same numbers on every architecture
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_ASK_VERSION, _PATH_BENEATH = 1, 1
_VERSION_MIN = 2  # with version 1, no file could be renamed to another directory
_EXECUTE, _WRITE_FILE, _REMOVE_DIR, _REFER, _TRUNCATE = 1 << 0, 1 << 1, 1 << 4, 1 << 13, 1 << 14
_DEVICE_CALLS = 1 << 15  # ioctl(2) on devices
_SIGNALS = 1 << 1  # to processes that are not in the sandbox
_NAMES = sum(1 << bit for bit in range(4, 14))  # remove, make and move entries
_RULE = struct.Struct("=Qi")  # rights, descriptor


class Sandbox:
    """Restrictions for the calling thread and the threads that it starts later.

    problems: what the kernel has but refused, as sentences; the rest of the restrictions holds all the same.
    """

    def __init__(self) -> None:
        self.problems: list[str] = []
        self._libc = c_library("prctl", "capget", "capset", "syscall")

    def enter(self) -> None:
        """Forbid new privileges, core dumps, executing programs and signals, and drop unneeded capabilities.

        Call before starting threads.
        """
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if self._libc is None:
            return
        self._libc.prctl(_SET_DUMPABLE, 0, 0, 0, 0)
        if self._libc.prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
            self._note("give up new privileges")
        self._keep_capabilities(_FILES | _XATTRS | _SOCKETS | {_MKNOD})
        root = os.open("/", os.O_PATH | NAMED)
        calls = _DEVICE_CALLS if self.landlock_version() >= 5 else 0
        self._restrict(_EXECUTE | _REFER | calls, [(_REFER, root)], _SIGNALS)
        os.close(root)

    def confine(
        self,
        directories: Iterable[int],
        emptied: Iterable[int] = (),
        linked: Iterable[int] = (),
        *,
        makes_devices: bool,
        sets_xattrs: bool,
    ) -> None:
        """Allow changes of names and contents only below these open directories, and drop further capabilities.

        emptied: open directories below which empty directories may also be removed. linked: those whose files may get
        further names below `directories`; the kernel lets that happen only where files may be written to, as they can
        be by their new names. makes_devices, sets_xattrs: keep the capabilities for that.
        """
        if self._libc is None:
            return
        contents = _WRITE_FILE | (_TRUNCATE if self.landlock_version() >= 3 else 0)
        rights = _NAMES | contents
        rules = [(rights, fd) for fd in directories] + [(_REMOVE_DIR, fd) for fd in emptied]
        rules += [(contents | _REFER, fd) for fd in linked]
        self._restrict(rights, rules)
        kept = _FILES | (_XATTRS if sets_xattrs else set()) | ({_MKNOD} if makes_devices else set())
        self._keep_capabilities(kept)

    def missing(self) -> list[str]:
        """Return the mechanisms that this kernel lacks."""
        if self._libc is None:
            return ["all of it, as Python cannot call the C library"]
        version = self.landlock_version()
        missing = [] if version >= _VERSION_MIN else [f"Landlock (version {version})" if version else "Landlock"]
        return missing + ([] if self._libc.prctl(_GET_NO_NEW_PRIVS, 0, 0, 0, 0) >= 0 else ["no_new_privs"])

    def landlock_version(self) -> int:
        """Return the version of Landlock's interface, or 0 if the kernel has none."""
        return 0 if self._libc is None else max(0, self._call(_CREATE_RULESET, None, 0, _ASK_VERSION))

    def _restrict(self, handled: int, rules: Iterable[tuple[int, int]], scoped: int = 0) -> None:
        """Deny the rights in `handled`, except where rules allow them, and what is `scoped`, where the kernel can.

        rules: (rights, open directory), for all below it.
        """
        version = self.landlock_version()
        if version < _VERSION_MIN:
            return
        attributes = struct.pack("=QQQ", handled, 0, scoped) if version >= 6 else struct.pack("=Q", handled)
        ruleset = self._call(_CREATE_RULESET, attributes, len(attributes), 0)
        if ruleset < 0:
            self._note("make a Landlock ruleset")
            return
        try:
            for rule in rules:
                if self._call(_ADD_RULE, ruleset, _PATH_BENEATH, _RULE.pack(*rule), 0):
                    self._note("add a Landlock rule")
                    return  # with too few rules the session could not write
            if self._call(_RESTRICT_SELF, ruleset, 0):
                self._note("enforce Landlock rules")
        finally:
            os.close(ruleset)

    def _note(self, action: str) -> None:
        """Note that the last call failed. It must not end a sync that would be right without."""
        problem = f"cannot {action}: {last_failure().strerror}"
        if problem not in self.problems:
            self.problems.append(problem)

    def _keep_capabilities(self, kept: set[int]) -> None:
        import ctypes

        header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
        data = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable: the low 32 bits of each, then the high ones
        if self._libc.capget(header, data):
            self._note("read capabilities")
            return
        for word in range(2):
            mask = sum(1 << bit % 32 for bit in kept if bit // 32 == word)
            data[3 * word] &= mask
            data[3 * word + 1] &= mask
            data[3 * word + 2] = 0
        if self._libc.capset(header, data):
            self._note("drop capabilities")

    def _call(self, number: int, *arguments: int | bytes | None) -> int:
        import ctypes

        words = [ctypes.c_long(word) if isinstance(word, int) else word for word in arguments]
        return int(self._libc.syscall(ctypes.c_long(number), *words))
