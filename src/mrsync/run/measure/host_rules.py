"""Rules about the target itself: its sockets, disk, clock, and what it lacks to be fast, safe or encrypted."""

from __future__ import annotations

from mrsync.run.measure.evidence import Evidence, Setting
from mrsync.run.measure.facts import NO_PARENT, NOT_DIRECTORY, HostFacts
from mrsync.run.measure.finding import Finding, two_digits

BUFFER_WANTED_BYTES = 32 << 20
BUFFER_MIN_BYTES = 1 << 20  # with less, the window is only a few pages, and the sync is slow
BUFFER_GOOD_BYTES = 8 << 20  # about 6 ms of data at 10 Gbit/s
DISK_MIN_BYTES_S = 20e6
ROOM_MIN_BYTES = 64 << 20
INODES_MIN = 1000
CLOCK_MAX_S = 2.0
_REMEDY = "let this user write to DEST there, or use --sudo; directories in it that are this user's can be synced"
_REMEDIES = {
    NO_PARENT: "make it there, or give mrsync --mkpath",
    NOT_DIRECTORY: "remove it there, or give another DEST",
}


def ended(seen: Evidence, facts: HostFacts, setting: Setting) -> Finding | None:
    if seen.reason is None:
        return None
    return Finding("probe ended", seen.reason, "run it again; if it stays so, report it")


def buffers(seen: Evidence, facts: HostFacts, setting: Setting) -> Finding | None:
    drops = seen.counters.socket_drops
    if facts.buffer_bytes >= BUFFER_GOOD_BYTES and not drops:
        return None
    dropped = f", packets dropped there: {drops}" if drops else ""
    return Finding(
        "small buffers",
        f"sockets get {facts.buffer_bytes} bytes{dropped}",
        f"sysctl -w net.core.rmem_max={BUFFER_WANTED_BYTES} there",
        is_fault=bool(drops) or facts.buffer_bytes < BUFFER_MIN_BYTES,
    )


def disk(seen: Evidence, facts: HostFacts, setting: Setting) -> Finding | None:
    disk = seen.disk
    if disk is None:
        return None
    if disk.error:
        remedy = _REMEDIES.get(disk.error, _REMEDY)
        return Finding("cannot write", f"{disk.path}: {disk.error}", remedy)
    if disk.free_bytes < ROOM_MIN_BYTES or 0 <= disk.free_inodes < INODES_MIN:
        is_short = disk.free_bytes < ROOM_MIN_BYTES
        what = f"{two_digits(disk.free_bytes / 1e6)} MB" if is_short else f"{disk.free_inodes} inodes"
        return Finding("disk full", f"{disk.path}: only {what} are free", "free space there, or use --remove-first")
    if disk.write_bytes_s < DISK_MIN_BYTES_S:
        return Finding(
            "slow disk",
            f"{disk.path} takes {two_digits(disk.write_bytes_s / 1e6)} MB/s",
            "mrsync adapts to the slowest target, or remove it",
            is_fault=False,
        )
    return None


def wireless(seen: Evidence, facts: HostFacts, setting: Setting) -> Finding | None:
    if not facts.is_wireless or seen.is_deaf:
        return None
    return Finding("WiFi", f"{facts.interface} is wireless: multicast is slow there", "use a cable", is_fault=False)


def bridge(seen: Evidence, facts: HostFacts, setting: Setting) -> Finding | None:
    if not facts.is_bridge_deaf:
        return None
    remedy = f"echo 1 > /sys/class/net/{facts.interface}/bridge/multicast_querier there"
    return Finding("bridge snoops without a querier", "after some minutes it may stop forwarding", remedy, False)


def encryption(seen: Evidence, facts: HostFacts, setting: Setting) -> Finding | None:
    if facts.has_cryptography:
        return None
    return Finding(
        "not encrypted", "cryptography is missing or broken", "install python3-cryptography there", is_fault=False
    )


def options(seen: Evidence, facts: HostFacts, setting: Setting) -> Finding | None:
    if not facts.missing_options:
        return None
    remedy = "none is needed; a newer kernel is faster or tells more"
    return Finding("socket options missing", facts.missing_options, remedy, is_fault=False)


def sandbox(seen: Evidence, facts: HostFacts, setting: Setting) -> Finding | None:
    if not facts.missing_protections:
        return None
    remedy = "none is needed; with Linux 5.19 or newer a catcher can write only below DEST"
    return Finding("sandbox incomplete", f"without {facts.missing_protections}", remedy, is_fault=False)


def clock(seen: Evidence, facts: HostFacts, setting: Setting) -> Finding | None:
    offset = seen.clock_offset_s
    if offset is None or abs(offset) < CLOCK_MAX_S:
        return None
    way = "ahead" if offset > 0 else "behind"
    return Finding("clock", f"{two_digits(abs(offset))} s {way}", "run NTP there", is_fault=False)
