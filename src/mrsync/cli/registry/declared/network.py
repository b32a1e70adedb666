"""Options for groups, ports, rates and encryption."""

from __future__ import annotations

from mrsync.cli.registry import values
from mrsync.cli.registry.option import (
    CASTERS,
    DOCTOR,
    INTERFACE,
    MEASURERS,
    MULTICATCHER,
    NETWORK,
    SENDERS,
    SYNCERS,
    Option,
)
from mrsync.run.settings import GROUPS, RELAYING, RTT_GROUPS, SHARES, Network

RTT_PORT = 7900  # as in 4.0.1
_PORT_TEXT = "the data port; reports come back to the one below; default: {}"
_PORT_MANUAL = (
    "the data port; reports come back to the one below. A firewall must let UDP into the targets at this port, and "
    "into the master at the one below. Default: {}"
)
_GROUP_TEXT = "the multicast group; auto: an unused one; default: {0.ipv4} or {0.ipv6}"
_GROUP_MANUAL = (
    "the multicast group, IPv4 or IPv6. Sessions with another group or port run side by side. `auto`: an "
    "unused one, shown with `-v 1`. Default: {0.ipv4}, or {0.ipv6} if targets have only IPv6 addresses"
)

OPTIONS = (
    Option(
        "-A --multicast-group --group",
        _GROUP_TEXT.format(GROUPS),
        NETWORK,
        SYNCERS,
        _GROUP_MANUAL.format(GROUPS),
        metavar="A",
        type=values.group,
        dest="group",
    ),
    Option(
        "-A --group",
        _GROUP_TEXT.format(RTT_GROUPS),
        NETWORK,
        MEASURERS,
        _GROUP_MANUAL.format(RTT_GROUPS),
        metavar="A",
        type=values.group,
    ),
    Option(
        "-P --port",
        _PORT_TEXT.format(Network().port),
        NETWORK,
        SYNCERS,
        manual=_PORT_MANUAL.format(Network().port),
        metavar="P",
        type=values.port,
        default=Network().port,
        is_common=True,
    ),
    Option(
        "-P --port",
        _PORT_TEXT.format(RTT_PORT),
        NETWORK,
        MEASURERS,
        manual=_PORT_MANUAL.format(RTT_PORT),
        metavar="P",
        type=values.port,
        default=RTT_PORT,
        is_common=True,
    ),
    Option(
        "-I --interface",
        "interfaces: names, indices or addresses, separated by commas; default: by the routes to the targets",
        NETWORK,
        (*SYNCERS, *MEASURERS),
        "interfaces by name, index or address, separated by commas. Default: all interfaces towards targets, "
        "found by their routes (names are looked up as the resolver or `ssh -G` does); if no address is "
        "known, the host's only interface",
        metavar="I",
        completes=INTERFACE,
        is_common=True,
    ),
    Option(
        "-T --ttl",
        "how far packets go: N passes N - 1 multicast routers; default: 1",
        NETWORK,
        SENDERS,
        "how far packets go. 1: only this network; N passes N - 1 multicast routers. Default: 1",
        metavar="N",
        type=values.ttl,
        default=1,
    ),
    Option(
        "-L --loop",
        "also deliver packets on this host",
        NETWORK,
        SENDERS,
        "also deliver packets on this host; implied if a target is on this host",
    ),
    Option(
        "--unicast",
        "use no multicast: send everything to each target separately",
        NETWORK,
        CASTERS,
        "use no multicast: everything is sent to each target separately. Without this option, only targets "
        "that do not receive the group are served this way; they are named, with the reason",
    ),
    Option(
        "--unicast",
        "join no group; needs --master",
        NETWORK,
        (MULTICATCHER,),
    ),
    Option(
        "--master",
        "the master, to ask for unicast if no multicast is received",
        NETWORK,
        (MULTICATCHER,),
        metavar="M",
    ),
    Option(
        "--relay",
        "whether targets without multicast forward pages to one another; default: auto",
        NETWORK,
        CASTERS,
        "whether targets forward pages to one another where no multicast is received. `auto`: each target "
        "that does not receive the group gets its pages from another target, if the two reach each other, so "
        "that the master sends about one copy; in networks behind a router, one target casts on to the "
        "others; `no`: the master sends everything to each of them separately, as with `--unicast`. Default: `auto`",
        choices=RELAYING,
        default=RELAYING[0],
        field="settings.relay",
    ),
    Option(
        "--relay-chains",
        "number of chains of relays if no target receives the group; default: 1",
        NETWORK,
        CASTERS,
        "number of chains of relays that the master feeds if no target receives the group. Each chain costs "
        "one copy, so use more than one only if the master's link is faster than theirs. Default: 1",
        metavar="N",
        type=values.counted("number of chains", 64),
        default=1,
        field="settings.relay_chains",
    ),
    Option(
        "--rate",
        "send at most this many bytes/s; K, M, G",
        NETWORK,
        CASTERS,
        "send at most this many bytes/s of contents (`K`, `M`, `G`; at least 512), including those sent by unicast",
        metavar="R",
        type=values.rate,
        field="settings.rate_bytes_s",
        is_common=True,
    ),
    Option(
        "--rate",
        "bytes/s to try; K, M, G; default: 25MB",
        NETWORK,
        (DOCTOR,),
        metavar="R",
        type=values.rate,
        is_common=True,
    ),
    Option(
        "--share",
        "the share of the network that is left to other traffic; default: fair",
        NETWORK,
        CASTERS,
        "the share of the network that is left to other traffic. `fair`: as much as one more TCP connection would "
        "leave; `all`: hardly anything, for networks of your own; `polite`: nearly all that it wants, and packets are "
        "marked as lower effort (RFC 8622). See [networks.md](networks.md#sharing-the-network). Default: `fair`",
        choices=SHARES,
        default=SHARES[0],
        field="settings.share",
    ),
    Option(
        "--bwlimit",
        "--rate in rsync's notation: KiB/s",
        NETWORK,
        CASTERS,
        "`--rate` in rsync's notation: KiB/s unless a unit is given, at least 512 bytes/s; 0: no limit",
        metavar="R",
        type=values.bwlimit,
        dest="rate",
        rsync="--bwlimit",
    ),
    Option(
        "-z --compress",
        "compress contents where the network is the bottleneck",
        NETWORK,
        CASTERS,
        "compress contents where the network is the bottleneck: pages that do not shrink are sent as they are, and "
        "while compressing takes longer than it saves it pauses by itself",
        rsync="-z --compress",
    ),
    Option(
        "--compress-choice",
        "compress as with -z, by auto (default), zstd, zlib, or none",
        NETWORK,
        CASTERS,
        "compress as with `-z`, by `zstd` or `zlib`; `none`: do not compress. Default: `auto`, which is `zstd` if the "
        "master and all targets have it (Python 3.14, or the Python package `zstandard`), else `zlib`. With `zstd`, "
        "a target without it is refused",
        metavar="STR",
        type=values.compress_choice,
        rsync="--compress-choice --zc",
    ),
    Option(
        "--compress-level",
        "compress as with -z, from 1 (fastest, default) to 22; 0: not at all",
        NETWORK,
        CASTERS,
        "compress as with `-z`, at this level: 1 is the fastest and the default of `-z`, 22 makes the smallest pages; "
        "with zlib, 9 and what is above are the same; 0: do not compress",
        metavar="N",
        type=values.compress_level,
        rsync="--compress-level --zl",
    ),
    Option(
        "-x --no-monitor",
        "no flow control: send at --rate, and repair losses",
        NETWORK,
        CASTERS,
        "no flow control: send at `--rate`, which must be given, and repair the losses that this causes",
    ),
    Option(
        "--encrypt",
        "fail rather than send unencrypted",
        NETWORK,
        CASTERS,
        "require AES-256-GCM on every target; default: encrypt if every target can",
        stores=("is_encrypted", True),
        conflicts="sealing",
        field="settings.is_encrypted",
    ),
    Option(
        "--no-encrypt",
        "authenticate only",
        NETWORK,
        CASTERS,
        "authenticate only, and leave contents readable on the network",
        stores=("is_encrypted", False),
        conflicts="sealing",
        field="settings.is_encrypted",
    ),
    Option(
        "--stop-after",
        "stop after this many minutes; the next run resumes",
        NETWORK,
        manual="stop after MINS minutes, status 30. Files that are complete by then stay, all others keep their old "
        "versions, and the next run resumes",
        metavar="MINS",
        type=values.minutes,
        field="settings.stop_after",
        rsync="--stop-after",
    ),
    Option(
        "--stop-at",
        "stop at a time: 23:59, 2030-12-31T23:59",
        NETWORK,
        manual="stop at the next such time, as `--stop-after`: `23:59`, `:30`, `12-31` or `2030-12-31T23:59`",
        metavar="TIME",
        type=values.stop_time,
        field="settings.stop_at",
        rsync="--stop-at",
    ),
)
