"""Single values of the command line: text to number or address, or one sentence why not."""

from __future__ import annotations

import argparse
import re
import socket
from collections.abc import Callable

SIZE = re.compile(r"(?=\.?\d)(\d*)(?:\.(\d*))?(?:(b)(?=$|[+-])|([kmgtp])(b|ib)?)?([+-]1)?", re.IGNORECASE | re.ASCII)
INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
SIZE_MAX = (1 << 63) - 1
BWLIMIT_MIN = 512  # bytes/s, as of rsync
REMOTE_OPTION = re.compile(r"[A-Za-z0-9_./~+:,@%=-]+")  # behind the first word
USER = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.@$+\\-]*")
REMOTE_WORD = re.compile(r"[A-Za-z0-9_./~][A-Za-z0-9_./~+-]*")


def rate(text: str) -> int | None:
    """Bytes/s, written as a size; 0 is no limit."""
    return _rate(text, unit="")


def bwlimit(text: str) -> int | None:
    """Bytes/s as rsync's --bwlimit writes them: a number without a unit counts KiB/s."""
    bytes_s = _rate(text, unit="k")
    if bytes_s is not None and bytes_s < BWLIMIT_MIN:
        raise argparse.ArgumentTypeError(f"{text!r} is less than {BWLIMIT_MIN} bytes per second (0: no limit)")
    return bytes_s


def size(text: str) -> int:
    """Bytes as rsync's --max-size writes them: 1.5k and 1.5KiB are 1536, 1.5kb is 1500, 1.5kb+1 is one more."""
    number = _bytes(text)
    if number is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no size: a number with K, M, G, T or P, such as 1.5m or 2gb-1")
    if not 0 <= number <= SIZE_MAX:
        raise argparse.ArgumentTypeError(f"{text!r} is a size that no file can have")
    return number


def _rate(text: str, unit: str) -> int | None:
    number = _bytes(text, unit)
    if number is None or not 0 <= number <= SIZE_MAX:
        raise argparse.ArgumentTypeError(f"{text!r} is no rate: a number with K, M or G, such as 80M")
    if number == 0 and any(digit in "123456789" for digit in text):
        raise argparse.ArgumentTypeError(f"{text!r} is less than one byte per second")
    return number or None


def _bytes(text: str, unit: str = "") -> int | None:
    """A number of bytes; None for a text that is none. unit: the prefix that is meant where a text has no unit."""
    match = SIZE.fullmatch(text)
    if not match:
        return None
    whole, fraction, single, prefix, kind, step = match.groups("")
    base = 1000 if kind.lower() == "b" else 1024
    power = " kmgtp".index(prefix.lower() or (not single and unit) or " ")
    digits: str = whole + fraction
    number: int = int(digits) * base**power // 10 ** len(fraction) + int(step or 0)
    return number


def integer(text: str) -> int:
    """Digits with or without a sign, and nothing else that int() takes."""
    if not INTEGER.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number")
    return int(text)


def modify_window(text: str) -> int:
    """Seconds, or -1 for not even a nanosecond."""
    number = integer(text)
    if not -1 <= number < 1 << 31:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number of seconds nor -1")
    return number


def counted(what: str, highest: int) -> Callable[[str], int]:
    """Return a reader of whole numbers from 1 to `highest`."""
    return lambda text: _bounded(text, what, 1, highest)


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


def remote_words(text: str) -> str:
    """A command and options of its, that every login shell takes as they are: nice -n 19 python3."""
    first, *others = text.split() or [""]
    if not all(REMOTE_OPTION.fullmatch(word) for word in others):
        raise argparse.ArgumentTypeError(f"{text!r} is more than plain words")
    return " ".join([remote_word(first), *others])


def user(text: str) -> str:
    """The name of a user of another host; empty: whoever the remote shell takes."""
    if text and not USER.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no name of a user")
    return text


def _bounded(text: str, what: str, lowest: int, highest: int) -> int:
    if not (text.isascii() and text.isdigit()) or not lowest <= int(text) <= highest:
        raise argparse.ArgumentTypeError(f"{text!r} is no {what} from {lowest} to {highest}")
    return int(text)
