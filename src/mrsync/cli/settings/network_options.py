"""Where a session takes place, by its options: group, port and interface, the master, and the keys of its members."""

from __future__ import annotations

import argparse
import socket

from mrsync.errors import UsageError
from mrsync.remote.keyfile import INSECURE_KEYS, Keys, read_keys
from mrsync.run.settings import AUTO, Network
from mrsync.transport.network.interface import family_of


def keys_of(options: argparse.Namespace) -> Keys:
    """Return the keys from --key-file or --insecure. Raise the errors of read_keys."""
    return read_keys(options.key_file) if options.key_file else INSECURE_KEYS


def network_of(options: argparse.Namespace, *, by_hand: bool = False) -> Network:
    """Return the place of the session. by_hand: the user starts the other end. Raise UsageError."""
    if by_hand and options.group == AUTO:
        raise UsageError("-A auto needs catchers that are started from here; choose a group for those started by hand")
    is_unicast = "unicast" in options and options.unicast
    network = Network(options.group, options.port, interface=options.interface, is_unicast=is_unicast)
    return network._replace(ttl=options.ttl, has_loop=options.loop) if "ttl" in options else network


def master_of(options: argparse.Namespace) -> str | None:
    """Return the numeric address of --master, or None. Raise UsageError."""
    if options.master is None:
        if options.unicast:
            raise UsageError("--unicast needs --master, the address of the master")
        return None
    family = family_of(options.group) if options.group else socket.AF_UNSPEC
    try:
        found = socket.getaddrinfo(options.master, None, family, socket.SOCK_DGRAM)
    except socket.gaierror as error:
        raise UsageError(f"--master {options.master}: {error.strerror}") from error
    return str(found[0][4][0])
