"""Damaged inputs for everything that decodes: a few in CI, a million by `./run fuzz`."""

from __future__ import annotations

import os
import random
import time
import tracemalloc
from array import array
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from mrsync.errors import ProtocolDataError
from mrsync.tree.model.packing import Packer
from mrsync.tree.model.plan import MAGIC as PLAN_MAGIC
from mrsync.tree.model.plan import Plan
from mrsync.tree.source.scan import scan
from tests.fuzz.__main__ import corpus_of
from tests.fuzz.decoder import read
from tests.fuzz.decoders import decoders
from tests.fuzz.mutation import mutated

INPUTS = 150
HANG_S = 20.0  # of the processor, for one input; the fuzzer itself allows one second


@pytest.mark.parametrize("name", decoders())
def test_damaged_inputs_are_answered(name: str) -> None:
    decoder = decoders()[name]
    chance = random.Random()
    for data in (*decoder.samples, *(mutated(chance, decoder.samples, decoder.words) for _ in range(INPUTS))):
        try:
            read(decoder, data)
        except Exception as error:
            error.add_note(f"the input: {data!r}")
            raise


@settings(max_examples=20)
@given(st.binary(max_size=200))
def test_any_bytes_are_answered(data: bytes) -> None:
    for decoder in decoders().values():
        read(decoder, data)


@pytest.mark.parametrize("name", decoders())
def test_inputs_that_once_failed_are_answered(name: str) -> None:
    for path in corpus_of(name):
        began = time.process_time()
        read(decoders()[name], path.read_bytes())
        assert time.process_time() - began < HANG_S, f"{path} takes too long"


@pytest.mark.parametrize("name", decoders())
def test_samples_are_taken(name: str) -> None:
    """Otherwise all of them would be refused for the same reason."""
    decoder = decoders()[name]
    from tests.fuzz.decoder import uncompressed

    with uncompressed():
        for sample in decoder.samples:
            decoder.read(sample)


def test_extents_that_are_wrong_take_no_memory(tmp_path: Path) -> None:
    """A million extents of nothing are a few kilobytes when packed."""
    count = 1 << 20
    manifest = scan(os.fsencode(tmp_path)).manifest
    packer = Packer(PLAN_MAGIC)
    packer.number(0)
    packer.column(array("I"))
    packer.column(array("I"))
    packer.number(1)
    packer.number(count)
    packer.column(array("I", [0]))
    packer.column(array("I", [count]))
    for _ in range(2):
        packer.blob(bytes(8 * count))
    tracemalloc.start()
    try:
        with pytest.raises(ProtocolDataError, match="extents of a file are not in order"):
            Plan.decode(packer.packed(), manifest)
        assert tracemalloc.get_traced_memory()[1] < 64 * count
    finally:
        tracemalloc.stop()
