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
from mrsync.run.settings import GROUPS, RELAYING, RTT_GROUPS, Network

RTT_PORT = 7900  # as in 4.0.1
_PORT_TEXT = "the data port; reports come back to the one below; default: {}"
_GROUP_TEXT = "the multicast group; auto: one that nobody uses; default: {0.ipv4} or {0.ipv6}"
_GROUP_MANUAL = (
    "the multicast group, IPv4 or IPv6. Sessions with another group or port run side by side. `auto`: one that nobody "
    "uses, told by `-v 1`. Default: {0.ipv4}, or {0.ipv6} where targets have only IPv6 addresses"
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
        metavar="P",
        type=values.port,
        default=RTT_PORT,
        is_common=True,
    ),
    Option(
        "-I --interface",
        "names, indices or addresses, with commas; default: by the routes to the targets",
        NETWORK,
        (*SYNCERS, *MEASURERS),
        "interfaces by name, index or address, with commas; default: all that targets are behind, by the routes to "
        "them (names as the resolver or `ssh -G` knows them); where no address is known, the only one there is",
        metavar="I",
        completes=INTERFACE,
        is_common=True,
    ),
    Option(
        "-T --ttl",
        "how far casting goes: N passes N - 1 multicast routers; default: 1",
        NETWORK,
        SENDERS,
        "how far casting goes. 1: this network; N passes N - 1 multicast routers; default: 1",
        metavar="N",
        type=values.ttl,
        default=1,
    ),
    Option(
        "-L --loop",
        "be heard on this host, too",
        NETWORK,
        SENDERS,
        "be heard on this host, too; implied where a target is on this host",
    ),
    Option(
        "--unicast",
        "use no multicast: send everything to each target by itself",
        NETWORK,
        CASTERS,
        "use no multicast at all: the same session, but everything goes to each target by itself. Without this "
        "option only targets that do not hear the group are served so; they are named, with the reason",
    ),
    Option(
        "--unicast",
        "join no group; needs --master",
        NETWORK,
        (MULTICATCHER,),
    ),
    Option(
        "--master",
        "the host that casts, to be asked for unicast where no multicast is heard",
        NETWORK,
        (MULTICATCHER,),
        metavar="M",
    ),
    Option(
        "--relay",
        "whether targets pass pages on to one another where no multicast is heard; default: no",
        NETWORK,
        CASTERS,
        "whether targets pass pages on to one another where no multicast is heard. `auto`: each target that does not "
        "hear the group gets its pages from another target, where those two reach each other, so that about one copy "
        "leaves the master; `no`: everything goes to each of them by itself, as with `--unicast`. Default: `no`",
        choices=RELAYING,
        default=RELAYING[1],
        field="settings.relay",
    ),
    Option(
        "--relay-chains",
        "how many chains of targets the master feeds where nobody hears the group; default: 1",
        NETWORK,
        CASTERS,
        "how many chains of targets the master feeds where nobody hears the group. More than one only where its link "
        "is faster than theirs: each takes a copy. Default: 1",
        metavar="N",
        type=values.counted("number of chains", 64),
        default=1,
        field="settings.relay_chains",
    ),
    Option(
        "--rate",
        "send at most so many bytes/s; K, M, G",
        NETWORK,
        CASTERS,
        "send at most so many bytes/s of contents (`K`, `M`, `G`), those sent by unicast included",
        metavar="R",
        type=values.rate,
        field="settings.rate_bytes_s",
        is_common=True,
    ),
    Option(
        "--rate",
        "bytes/s that are tried; K, M, G; default: 25MB",
        NETWORK,
        (DOCTOR,),
        metavar="R",
        type=values.rate,
        is_common=True,
    ),
    Option(
        "--bwlimit",
        "the same as rsync writes it: KiB/s",
        NETWORK,
        CASTERS,
        "the same as rsync writes it: KiB/s where no unit is given, at least 512 bytes/s; 0: no limit",
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
        "compress contents (deflate) where the network is the bottleneck: pages that do not shrink are sent as they "
        "are, and while compressing takes longer than it saves it pauses by itself",
        stores=("compress_level", 1),
        default=0,
        field="settings.compress_level",
        rsync="-z --compress",
    ),
    Option(
        "--compress-level",
        "compress as with -z, from 1 (fastest, default) to 9; 0: not at all",
        NETWORK,
        CASTERS,
        "compress as with `-z`, at this level of zlib: 1 is the fastest and the default of `-z`, 9 makes the smallest "
        "pages; 0: do not compress",
        metavar="N",
        type=values.compress_level,
        default=0,
        field="settings.compress_level",
        rsync="--compress-level --zl",
    ),
    Option(
        "-x --no-monitor",
        "take no feedback: send at --rate, and repair what is lost",
        NETWORK,
        CASTERS,
        "let no target clock what is sent: send at `--rate`, which must be given, and repair what is lost for that",
    ),
    Option(
        "--encrypt",
        "fail rather than send unencrypted",
        NETWORK,
        CASTERS,
        "insist on AES-256-GCM at every target; default: encrypt if every target can",
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
)
