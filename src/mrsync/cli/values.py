"""Single values of the command line: text to number or address, or one sentence why not."""

from __future__ import annotations

import argparse
import re
import socket

RATE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(i?B)?", re.IGNORECASE)
SIZE = re.compile(r"(?=\.?\d)(\d*)(?:\.(\d*))?(?:b(?=$|[+-])|([kmgtp])(b|ib)?)?([+-]1)?", re.IGNORECASE | re.ASCII)
SIZE_MAX = (1 << 63) - 1
REMOTE_WORD = re.compile(r"[A-Za-z0-9_./~][A-Za-z0-9_./~+-]*")


def rate(text: str) -> int | None:
    """Bytes/s as rsync's --bwlimit writes it: 10M and 10MiB are 10 * 1024**2, 10MB is 10 * 1000**2; 0 is no limit."""
    match = RATE.fullmatch(text.strip())
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r} is no rate: a number with K, M or G, such as 80M")
    number, prefix, unit = match.groups()
    base = 1000 if unit and len(unit) == 1 else 1024
    bytes_s = int(float(number) * base ** " KMGT".index(prefix.upper() or " "))
    if bytes_s == 0 and float(number) > 0:
        raise argparse.ArgumentTypeError(f"{text!r} is less than one byte per second")
    return bytes_s or None


def size(text: str) -> int:
    """Bytes as rsync's --max-size writes them: 1.5k and 1.5KiB are 1536, 1.5kb is 1500, 1.5kb+1 is one more."""
    match = SIZE.fullmatch(text)
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r} is no size: a number with K, M, G, T or P, such as 1.5m or 2gb-1")
    whole, fraction, prefix, unit, step = match.groups("")
    base = 1000 if unit.lower() == "b" else 1024
    digits: str = whole + fraction
    number: int = int(digits) * base ** " kmgtp".index(prefix.lower() or " ") // 10 ** len(fraction) + int(step or 0)
    if not 0 <= number <= SIZE_MAX:
        raise argparse.ArgumentTypeError(f"{text!r} is a size that no file can have")
    return number


def port(text: str) -> int:
    """The data port; reports go to the one below."""
    return _bounded(text, "port", 2, 65535)


def ttl(text: str) -> int:
    return _bounded(text, "TTL", 0, 255)


def group(text: str) -> str:
    """An IPv4 or IPv6 multicast address, or auto."""
    if text == "auto":
        return text
    for family, is_multicast in ((socket.AF_INET, range(224, 240)), (socket.AF_INET6, range(255, 256))):
        try:
            packed = socket.inet_pton(family, text)
        except OSError:
            continue
        if packed[0] in is_multicast:
            return text
    raise argparse.ArgumentTypeError(f"{text!r} is no multicast address (224.0.0.0 to 239.255.255.255, or ff00::/8)")


def seconds(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < 1e6:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds above 0")
    return number


def verbosity(text: str) -> int:
    return _bounded(text, "level", 0, 2)


def target_id(text: str) -> int:
    return _bounded(text, "id", 0, 4095)


def fanout(text: str) -> int:
    return _bounded(text, "number of remote shells", 1, 4096)


def remote_word(text: str) -> str:
    """A path or a name that every login shell takes as it is."""
    if not REMOTE_WORD.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is more than a plain path")
    return text


def _bounded(text: str, what: str, lowest: int, highest: int) -> int:
    if not (text.isascii() and text.isdigit()) or not lowest <= int(text) <= highest:
        raise argparse.ArgumentTypeError(f"{text!r} is no {what} from {lowest} to {highest}")
    return int(text)
