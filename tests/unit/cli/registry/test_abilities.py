from __future__ import annotations

import socket

import pytest

from mrsync.cli.registry.abilities import ability_lines


def test_each_ability_is_there_or_not() -> None:
    first, *others = ability_lines()
    assert first.startswith("Python 3.")
    assert [line.split()[0] in ("yes", "no") for line in others] == [True] * 5


def test_a_kernel_without_gso_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError

    class Poor(socket.socket):
        setsockopt = refuse

    monkeypatch.setattr(socket, "socket", Poor)
    assert any(line.startswith("  no  GSO") for line in ability_lines())
