from __future__ import annotations

from pathlib import Path

import pytest

from mrsync.errors import FileError, UsageError
from mrsync.remote.keyfile import INSECURE_SECRET, read_secret


def key_file(folder: Path, content: bytes, mode: int = 0o600) -> str:
    path = folder / "key"
    path.write_bytes(content)
    path.chmod(mode)
    return str(path)


def test_secret_has_32_bytes_whatever_the_file_holds(tmp_path: Path) -> None:
    secrets = {read_secret(key_file(tmp_path, content)) for content in (b"a" * 16, b"b" * 32, bytes(4096))}
    assert {len(secret) for secret in secrets} == {32}
    assert len(secrets | {INSECURE_SECRET}) == 4


def test_a_newline_at_the_end_does_not_count(tmp_path: Path) -> None:
    plain = read_secret(key_file(tmp_path, b"correct horse battery"))
    assert read_secret(key_file(tmp_path, b"correct horse battery\r\n")) == plain


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o622])
def test_a_file_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(UsageError, match="chmod 600"):
        read_secret(key_file(tmp_path, b"a" * 32, mode))


@pytest.mark.parametrize("content", [b"", b"short" * 3 + b"\n", b"x" * 4097, b"x" * 9000])
def test_a_file_too_short_or_too_long_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(UsageError, match="must hold 16 to 4096 bytes"):
        read_secret(key_file(tmp_path, content))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="nowhere: No such file"):
        read_secret(str(tmp_path / "nowhere"))
