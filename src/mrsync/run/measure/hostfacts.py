"""Find out facts about a probe's host without the network: from /proc and /sys, and by writing to DEST."""

from __future__ import annotations

import os
import platform
import tempfile
import time
from typing import Callable

from mrsync.files import absolute
from mrsync.run.measure.facts import NO_PARENT, NOT_DIRECTORY, DiskFacts, HostCounters
from mrsync.transport.network.interface import IPV6, Interface

DISK_TEST_S = 1.0
DISK_TEST_BYTES = 64 << 20
DISK_CHUNK_BYTES = 4 << 20
ROOM_SHARE = 4  # the disk test writes at most a fourth of the free space

_STRICT = 1


class Host:
    """Read /proc and /sys of a host. root: a directory that stands for /, for tests."""

    def __init__(self, root: str = "/") -> None:
        self._root = root

    def number(self, path: str) -> int | None:
        """Return the number in a file, or None if there is no such file or number."""
        try:
            with open(os.path.join(self._root, path), encoding="ascii") as file:
                return int(file.read())
        except (OSError, ValueError):
            return None

    def is_wireless(self, interface: str) -> bool:
        place = os.path.join(self._root, "sys/class/net", interface)
        return any(os.path.exists(os.path.join(place, name)) for name in ("wireless", "phy80211"))

    def is_bridge_deaf(self, interface: str) -> bool:
        """Return whether the interface is a bridge that snoops without a querier.

        Such a bridge forgets group memberships after some minutes, because no query makes the members report them
        again.
        """
        place = f"sys/class/net/{interface}/bridge"
        return self.number(f"{place}/multicast_snooping") == 1 and self.number(f"{place}/multicast_querier") == 0

    def strict_interfaces(self, names: list[str]) -> list[str]:
        """Return those of the interfaces that have a strict reverse path filter (RFC 3704).

        They drop packets whose source is routed through another interface.
        """
        place = "proc/sys/net/ipv4/conf"
        common = self.number(f"{place}/all/rp_filter") or 0
        return [name for name in names if max(common, self.number(f"{place}/{name}/rp_filter") or 0) == _STRICT]

    def counters(self, family: int) -> HostCounters:
        """Return the kernel's counters since boot. family: AF_INET or AF_INET6."""
        if family == IPV6:
            table = self._lines("proc/net/snmp6")
            reports = table.get("Icmp6OutMLDv2Reports", 0) + table.get("Icmp6OutGroupMembResponses", 0)
            return HostCounters(table.get("Ip6InMcastPkts", 0), reports)
        table = self._pairs("proc/net/netstat")
        return HostCounters(
            table.get("InMcastPkts", 0), table.get("OutMcastPkts", 0), table.get("IPReversePathFilter", 0)
        )

    def _pairs(self, path: str) -> dict[str, int]:
        """Read a file of line pairs: a line of names and a line of numbers."""
        lines = self._read(path)
        found: dict[str, int] = {}
        for names, numbers in zip(lines[::2], lines[1::2]):
            found.update((name, int(number)) for name, number in zip(names[1:], numbers[1:]))
        return found

    def _lines(self, path: str) -> dict[str, int]:
        """Read a file of lines that each have a name and a number."""
        return {words[0]: int(words[1]) for words in self._read(path) if len(words) == 2}

    def _read(self, path: str) -> list[list[str]]:
        try:
            with open(os.path.join(self._root, path), encoding="ascii") as file:
                return [line.split() for line in file]
        except OSError:
            return []


def since(before: HostCounters, now: HostCounters) -> HostCounters:
    """Return the differences of the kernel's counters."""
    return HostCounters(
        now.group_packets_in - before.group_packets_in,
        now.group_packets_out - before.group_packets_out,
        now.reverse_path_drops - before.reverse_path_drops,
    )


def python_version() -> str:
    return platform.python_version()


def deafness_of_bridges(host: Host, interfaces: list[Interface]) -> bool:
    return any(host.is_bridge_deaf(interface.name) for interface in interfaces)


def disk_facts(dest: bytes, *, clock: Callable[[], float] = time.monotonic) -> DiskFacts:
    """Write and sync an unnamed temporary file for up to a second in the deepest existing directory of DEST.

    The file is gone afterwards. Problems are in the `error` of the facts.
    """
    wanted = absolute(dest or b".")
    place = wanted
    while not os.path.isdir(place):
        place = os.path.dirname(place)
    path = os.fsdecode(place)
    if os.path.lexists(wanted) and place != wanted:
        return DiskFacts(path=os.fsdecode(wanted), error=NOT_DIRECTORY)
    if place not in (wanted, os.path.dirname(wanted)):
        return DiskFacts(path=os.fsdecode(wanted), error=NO_PARENT)
    try:
        space = os.statvfs(place)
        known = DiskFacts(
            path=path,
            free_bytes=space.f_bavail * space.f_frsize,
            total_bytes=space.f_blocks * space.f_frsize,
            free_inodes=space.f_favail if space.f_files else -1,
        )
        return known._replace(write_bytes_s=_write_rate(place, known.free_bytes // ROOM_SHARE, clock))
    except OSError as error:
        return DiskFacts(path=path, error=error.strerror or str(error))


def _write_rate(place: bytes, room_bytes: int, clock: Callable[[], float]) -> float:
    chunk = os.urandom(DISK_CHUNK_BYTES)
    room_bytes = min(room_bytes, DISK_TEST_BYTES)
    written = 0
    with tempfile.TemporaryFile(dir=place, buffering=0) as file:
        started = clock()
        while written < room_bytes and clock() - started < DISK_TEST_S:
            written += file.write(chunk[: room_bytes - written])
            os.fdatasync(file.fileno())
        taken_s = clock() - started
    return round(written / taken_s) if taken_s > 0 else 0.0
