from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from datetime import datetime

import pytest

from mrsync.cli.registry import values
from mrsync.cli.registry.foreign_values import debug_flags


@pytest.mark.parametrize(
    ("text", "bytes_s"),
    [
        ("1000", 1000),
        ("1k", 1024),
        ("1.5K", 1536),
        ("10M", 10 * 1024**2),
        ("10MiB", 10 * 1024**2),
        ("10MB", 10 * 1000**2),
        ("2G", 2 * 1024**3),
        ("1gb", 1000**3),
        ("0", None),
        ("512B", 512),
    ],
)
def test_rates_with_units_are_bytes_per_second(text: str, bytes_s: int | None) -> None:
    assert values.rate(text) == bytes_s


@pytest.mark.parametrize(
    ("text", "bytes_s"),
    [
        ("1000", 1000 << 10),
        ("0", None),
        ("0.5", 512),
        (".5", 512),
        ("1.5", 1536),
        ("512b", 512),
        ("600B+1", 601),
        ("1k", 1024),
        ("1kb", 1000),
        ("1KiB", 1024),
        ("1.5m", 1536 << 10),
        ("2mb-1", 1_999_999),
        ("1GiB", 1 << 30),
        ("1t", 1 << 40),
        ("1+1", 1025),
    ],
)
def test_bwlimit_is_rsyncs(text: str, bytes_s: int | None) -> None:
    assert values.bwlimit(text) == bytes_s


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("10", 10),
        ("10b", 10),
        ("1k", 1024),
        ("1.5K", 1536),
        ("1.5KiB", 1536),
        ("1.5kb", 1500),
        ("1.5mb-1", 1_499_999),
        ("2g+1", (2 << 30) + 1),
        ("1T", 1 << 40),
        ("8191P", 8191 << 50),
        (".5k", 512),
        ("1.k", 1024),
        ("5.9", 5),
        ("10+1", 11),
    ],
)
def test_sizes_with_units_are_bytes(text: str, size: int) -> None:
    assert values.size(text) == size


@pytest.mark.parametrize("text", ["239.255.67.92", "224.0.0.251", "ff15::7", "ff02::1"])
def test_multicast_groups_are_accepted(text: str) -> None:
    assert values.group(text) == text


def test_numbers_within_their_limits_are_accepted() -> None:
    assert (values.integer("-1"), values.integer("+07")) == (-1, 7)
    assert values.port("65535") == 65535
    assert values.ttl("0") == 0
    assert values.verbosity("2") == 2
    assert values.target_id("4095") == 4095
    assert values.seconds("0.5") == 0.5
    assert values.fanout("4096") == 4096
    assert values.remote_word("~/.pyenv/bin/python3.9") == "~/.pyenv/bin/python3.9"


LONG = "9" * 5000  # int() refuses it with a ValueError


@pytest.mark.parametrize(
    ("parse", "texts"),
    [
        (debug_flags, ["foo", "del-1", f"del{LONG}"]),
        (values.rate, ["", "fast", "-1", "1X", "1 000", "1e3", "0.5B", "80", "511", "inf"]),
        (
            values.size,
            ["", ".", "k", "-1", "+5", "0-1", "1e3", "1ki", "1kb+2", "1x", " 5", "0x10", "1.2.3", "8192P", "²", LONG],
        ),
        (values.bwlimit, ["", "fast", "-1", "0.1", "511b", "9" * 20, LONG, "1kb-999", "1ki", "1 m", "1e3"]),
        (values.integer, ["", "1.5", "1_000", " 1", "0x10", "²", "1k", "--5", "9" * 19]),
        (values.group, ["", "10.0.0.1", "240.0.0.1", "fe80::1", "239.1.1", "localhost", "239.1.1.1 "]),
        (values.port, ["", "0", "1", "65536", "-5", "8888.0", "²", "http", LONG]),
        (values.ttl, ["-1", "256"]),
        (values.verbosity, ["3", "-v"]),
        (values.target_id, ["4096", "-1"]),
        (values.fanout, ["0", "4097"]),
        (values.remote_word, ["", "python3 -I", "a;b", "$HOME/python", "-c", "it's"]),
        (values.minutes, ["0", "-1", "x", "nan", "inf", ""]),
        (
            values.stop_time,
            ["", "T", "T5", "foo", "25:00", ":99", "2030-13-1", "2/31", "30-1-1T1", "2020-01-01T00:00", "2030/2/30"],
        ),
        (values.seconds, ["0", "1e6", "-1", "soon", "nan", "inf"]),
        (values.compress_level, ["", "fast", "1.5"]),
    ],
)
def test_nonsense_is_refused(parse: Callable[[str], object], texts: list[str]) -> None:
    for text in texts:
        with pytest.raises(argparse.ArgumentTypeError):
            parse(text)


@pytest.mark.parametrize(
    "text", ["23:59", "0:0", ":59", "1", "31", "1-30", "2/29", "12-31T5:00", "T5:0", "31T12:00", "12-25T"]
)
def test_a_time_to_stop_is_the_next_that_matches(text: str) -> None:
    found = datetime.fromtimestamp(values.stop_time(text))
    assert datetime.now() < found
    assert values.stop_time(found.strftime("%Y-%m-%dT%H:%M")) == found.timestamp()
    numbers = [int(number) for number in re.findall(r"\d+", text)]
    assert numbers[-1] in (found.minute, found.day)
    assert not (":" not in text and (found.hour or found.minute))


def test_the_time_to_stop_may_be_a_date() -> None:
    assert values.stop_time("2030-12-31T23:59") == datetime(2030, 12, 31, 23, 59).timestamp()
    assert values.stop_time("30/1/2") == datetime(2030, 1, 2).timestamp()
