"""Parse single values of the command line, or explain in one sentence why they are wrong."""

from __future__ import annotations

import argparse
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta

from mrsync.run.settings import COMPRESSIONS

SIZE = re.compile(r"(?=\.?\d)(\d*)(?:\.(\d*))?(?:(b)(?=$|[+-])|([kmgtp])(b|ib)?)?([+-]1)?", re.IGNORECASE | re.ASCII)
DIGITS_MAX = 100  # in a number; int() refuses more than 4300 with an error of its own
NUMBER = re.compile(r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]{1,3})?", re.IGNORECASE)
INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
SIZE_MAX = (1 << 63) - 1
STOP_TIME = re.compile(
    r"(?:(?:(?:(\d{4}|\d\d)[-/])?(\d\d?)[-/])?(\d\d?))?(?:(?:(?<=\d)T|^T?)(\d{0,2}):(\d\d?)|(?<=\d)T)?"
)
DAYS_OF_8_YEARS = 2922  # the 29th of February is in them, also around the year 2100
COMPRESS_LEVEL_MAX = 22
LONGEST_WAIT_S = 86400.0
RATE_MIN = 512  # bytes/s, as with rsync's --bwlimit; a smaller number lacks its unit
REMOTE_OPTION = re.compile(r"[A-Za-z0-9_./~+:,@%=-]+")  # words after the first one
USER = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.@$+\\-]*")
REMOTE_WORD = re.compile(r"[A-Za-z0-9_./~][A-Za-z0-9_./~+-]*")


def rate(text: str) -> int | None:
    """Parse a rate, written as a size. Return bytes/s, or None for 0 (no limit)."""
    return _rate(text, unit="")


def bwlimit(text: str) -> int | None:
    """Parse a rate like rsync's --bwlimit: a number without a unit is in KiB/s.

    Return bytes/s, or None for 0 (no limit).
    """
    return _rate(text, unit="k")


def size(text: str) -> int:
    """Parse a size like rsync's --max-size: 1.5k and 1.5KiB are 1536, 1.5kb is 1500, 1.5kb+1 is 1501. Return bytes."""
    number = _bytes(text)
    if number is None:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a size: a number with K, M, G, T or P, such as 1.5m or 2gb-1"
        )
    if not 0 <= number <= SIZE_MAX:
        raise argparse.ArgumentTypeError(f"{text!r} is a size that no file can have")
    return number


def _rate(text: str, unit: str) -> int | None:
    number = _bytes(text, unit)
    if number is None or not 0 <= number <= SIZE_MAX:
        raise argparse.ArgumentTypeError(f"{text!r} is not a rate: a number with K, M or G, such as 80M")
    if number < RATE_MIN and any(digit in "123456789" for digit in text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is less than {RATE_MIN} bytes per second; give K, M or G, as in 80M (0: no limit)"
        )
    return number or None


def _bytes(text: str, unit: str = "") -> int | None:
    """Return a number of bytes, or None if the text is no number. unit: the prefix of a text without a unit."""
    match = SIZE.fullmatch(text)
    if not match or len(text) > DIGITS_MAX:
        return None
    whole, fraction, single, prefix, kind, step = match.groups("")
    base = 1000 if kind.lower() == "b" else 1024
    power = " kmgtp".index(prefix.lower() or (not single and unit) or " ")
    digits: str = whole + fraction
    number: int = int(digits) * base**power // 10 ** len(fraction) + int(step or 0)
    return number


def integer(text: str) -> int:
    """Parse decimal digits with an optional sign. int() would accept more."""
    if not INTEGER.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number")
    return int(text)


def modify_window(text: str) -> int:
    """Parse a number of seconds, or -1 to compare nanoseconds."""
    number = integer(text)
    if not -1 <= number < 1 << 31:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number of seconds nor -1")
    return number


def counted(what: str, highest: int) -> Callable[[str], int]:
    """Return a parser of whole numbers from 1 to `highest`."""
    return lambda text: _bounded(text, what, 1, highest)


def port(text: str) -> int:
    """Parse the data port. Reports go to the port below it."""
    return _bounded(text, "port", 2, 65535)


def ttl(text: str) -> int:
    return _bounded(text, "TTL", 0, 255)


def group(text: str) -> str:
    """Parse an IPv4 or IPv6 multicast address, or auto."""
    if text == "auto":
        return text
    for family, is_multicast in ((socket.AF_INET, range(224, 240)), (socket.AF_INET6, range(255, 256))):
        try:
            packed = socket.inet_pton(family, text)
        except OSError:
            continue
        if packed[0] in is_multicast:
            return text
    raise argparse.ArgumentTypeError(f"{text!r} is not a multicast address (224.0.0.0 to 239.255.255.255, or ff00::/8)")


def seconds(text: str) -> float:
    return _above_zero(text, 1e6, "seconds above 0 and below a million")


def timeout(text: str) -> float:
    """Parse the silence after which a target is dropped. 0: a day, for rsync's "no limit"."""
    return LONGEST_WAIT_S if text == "0" else seconds(text)


def minutes(text: str) -> float:
    return _above_zero(text, 1e8, "minutes above 0 and below 100 million")


def _above_zero(text: str, limit: float, what: str) -> float:
    number = float(text) if NUMBER.fullmatch(text) else 0.0  # float() would accept more
    if not 0 < number < limit:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of {what}")
    return number


def stop_time(text: str) -> float:
    """Parse a time as rsync's --stop-at: y-m-dTh:m, of which all but one part may be missing.

    Return the next time that matches, in seconds since 1970.
    """
    found = STOP_TIME.fullmatch(text)
    now = datetime.now()
    fitting = _fitting_times(found, now) if found and any(found.groups()) else iter(())
    first = next(fitting, None)
    if first is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time such as 23:59, 12-31 or 2030-12-31T23:59")
    if first <= now:
        raise argparse.ArgumentTypeError(f"{text!r} is not in the future")
    return first.timestamp()


def _fitting_times(found: re.Match[str], now: datetime) -> Iterator[datetime]:
    """Yield the times that match; later than now, unless the year is given."""
    year, month, day, hour, minute = (int(text) if text else None for text in found.groups())
    if year is not None:
        with suppress(ValueError):
            yield datetime(year + 2000 * (year < 100), month or 0, day or 0, hour or 0, minute or 0)
        return
    hours = range(24) if hour is None and minute is not None and day is None else [hour or 0]
    for later in range(DAYS_OF_8_YEARS):
        date = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=later)
        if month not in (None, date.month) or day not in (None, date.day):
            continue
        for each in hours:
            with suppress(ValueError):
                if (time := date.replace(hour=each, minute=minute or 0)) > now:
                    yield time


def compress_level(text: str) -> int:
    """Parse a level. As in rsync, a level that is out of range becomes the nearest possible one."""
    level = integer(text)
    return 1 if level < 0 else min(level, COMPRESS_LEVEL_MAX)


def compress_choice(text: str) -> str:
    """Check the name of a way to compress, with rsync's names."""
    name = "zlib" if text.lower() == "zlibx" else text.lower()
    if name not in COMPRESSIONS:
        raise argparse.ArgumentTypeError(f"{text!r} is not one of {', '.join(COMPRESSIONS)}")
    return name


def verbosity(text: str) -> int:
    return _bounded(text, "level", 0, 2)


def target_id(text: str) -> int:
    return _bounded(text, "id", 0, 4095)


def fanout(text: str) -> int:
    return _bounded(text, "number of remote shells", 1, 4096)


def remote_word(text: str) -> str:
    """Check that a path or name needs no quoting in any login shell."""
    if not REMOTE_WORD.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is more than a plain path")
    return text


def remote_words(text: str) -> str:
    """Check that a command with options, such as nice -n 19 python3, needs no quoting in any login shell."""
    first, *others = text.split() or [""]
    if not all(REMOTE_OPTION.fullmatch(word) for word in others):
        raise argparse.ArgumentTypeError(f"{text!r} is more than plain words")
    return " ".join([remote_word(first), *others])


def rsync_path(text: str) -> str:
    """Check rsync's --rsync-path: rsync, with sudo, nice and ionice before it."""
    *before, program = text.split() or [""]
    if any(letter in text for letter in "&|;<>$`\"'()"):
        raise argparse.ArgumentTypeError(f"{text!r} is a line for a shell; --mkpath makes directories above DEST")
    if program.rpartition("/")[2] != "rsync" or not all(map(REMOTE_OPTION.fullmatch, text.split())):
        raise argparse.ArgumentTypeError(f"{text!r} does not end with rsync; --remote-python names another Python")
    commands = [word for word in before if word[0] != "-" and not word.isdigit()]
    if not set(commands) <= {"sudo", "nice", "ionice"} or "sudo" in before[1:] or commands[:1] != before[:1]:
        raise argparse.ArgumentTypeError(f"{text!r}: only sudo, nice and ionice may stand before rsync")
    return " ".join([*before, program])


def user(text: str) -> str:
    """Check the name of a remote user. Empty: the remote shell's default."""
    if text and not USER.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not the name of a user")
    return text


def _bounded(text: str, what: str, lowest: int, highest: int) -> int:
    is_number = text.isascii() and text.isdigit() and len(text) <= DIGITS_MAX
    if not is_number or not lowest <= int(text) <= highest:
        article = "an" if what[0] in "aeiou" else "a"
        raise argparse.ArgumentTypeError(f"{text!r} is not {article} {what} from {lowest} to {highest}")
    return int(text)
