from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from mrsync.errors import FileError, UsageError
from mrsync.remote.keyfile import INSECURE_SECRET, read_keys


def key_file(folder: Path, content: bytes, mode: int = 0o600) -> str:
    path = folder / "key"
    path.write_bytes(content)
    path.chmod(mode)
    return str(path)


def test_secret_has_32_bytes_whatever_the_file_holds(tmp_path: Path) -> None:
    secrets = {read_keys(key_file(tmp_path, content)).group for content in (b"a" * 16, b"b" * 32, bytes(4096))}
    assert {len(secret) for secret in secrets} == {32}
    assert len(secrets | {INSECURE_SECRET}) == 4


def test_a_newline_at_the_end_does_not_count(tmp_path: Path) -> None:
    plain = read_keys(key_file(tmp_path, b"correct horse battery")).group
    assert read_keys(key_file(tmp_path, b"correct horse battery\r\n")).group == plain


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o622])
def test_a_file_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(UsageError, match="chmod 600"):
        read_keys(key_file(tmp_path, b"a" * 32, mode))


@pytest.mark.parametrize("content", [b"", b"short" * 3 + b"\n", b"x" * 4097, b"x" * 9000])
def test_a_file_too_short_or_too_long_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(UsageError, match="must hold 16 to 4096 bytes"):
        read_keys(key_file(tmp_path, content))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="nowhere: No such file"):
        read_keys(str(tmp_path / "nowhere"))


def test_a_file_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = key_file(tmp_path, b"a" * 32)
    if os.geteuid() == 0:
        os.chown(path, 1234, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 4321)
    with pytest.raises(UsageError, match="belongs to another user"):
        read_keys(path)


def test_fifo_of_another_user_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo", 0o600)
    with pytest.raises(FileError, match="not a regular file"):
        read_keys(str(tmp_path / "fifo"))


def test_a_passphrase_is_stretched(tmp_path: Path) -> None:
    """The figure is what both ends, whatever their version, must agree on."""
    secret = read_keys(key_file(tmp_path, b"correct horse battery")).group
    assert secret == hashlib.pbkdf2_hmac("sha256", b"correct horse battery", b"mrsync key file", 100_000)


def lines(*labels: str) -> bytes:
    return "".join(f"{label} {at:064x}\n" for at, label in enumerate(labels)).encode()


def test_a_file_may_have_a_line_for_each_target(tmp_path: Path) -> None:
    keys = read_keys(key_file(tmp_path, b"group " + b"AB" * 32 + b"\n# two targets\n\n" + lines("0", "1")))
    assert keys.group == b"\xab" * 32
    assert keys.of_all(["a", "b"]) == (bytes(32), bytes(31) + b"\x01")
    assert keys.of_one(1) == bytes(31) + b"\x01"
    with pytest.raises(UsageError, match=r"none for number 2 \(c\)"):
        keys.of_all(["a", "b", "c"])
    with pytest.raises(UsageError, match="none for number 7"):
        keys.of_one(7)


def test_blanks_of_all_kinds_around_a_secret_do_not_count(tmp_path: Path) -> None:
    keys = read_keys(key_file(tmp_path, b"group " + b"AB" * 32 + b"\n07 \x1f" + b"1" * 64 + b"\t\n"))
    assert keys.of_one(7) == b"\x11" * 32


def test_a_file_of_one_secret_has_none_for_single_targets(tmp_path: Path) -> None:
    keys = read_keys(key_file(tmp_path, b"a" * 32))
    assert (keys.of_all(["a"]), keys.of_one(5)) == ((), b"")


@pytest.mark.parametrize(
    "content",
    [
        b"group short",
        lines("group", "node1"),
        lines("group", "0", "0"),
        lines("group", "7", "007"),
        lines("group", "-1"),
        lines("group", "1" * 5000),
        lines("group", "0")[:-2],
        lines("group", "0group"),
    ],
)
def test_lines_that_make_no_sense_are_named(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(UsageError, match=r"line \d of the key file"):
        read_keys(key_file(tmp_path, content))
