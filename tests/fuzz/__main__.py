"""Fuzz all decoders: `./run fuzz [--inputs N] [--seed S] [NAME...]`.

With the package atheris (pip install atheris) and one NAME, inputs are guided by coverage; else they are damaged
samples. An input that is not answered properly, or that takes more than SECONDS_MAX of the processor or MEMORY_MAX of
memory, is written to tests/fuzz/corpus, where test_fuzz.py repeats it from then on.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import resource
import signal
import sys
import time
import traceback
from pathlib import Path

from tests.fuzz.decoder import Decoder, read
from tests.fuzz.decoders import decoders
from tests.fuzz.mutation import mutated

CORPUS = Path(__file__).parent / "corpus"
SECONDS_MAX = 1.0
HANG_S = 60.0  # then an input is given up
MEMORY_MAX = 1 << 30
KEPT_MAX = 200  # inputs that were taken whole and are damaged further


def main() -> int:
    parser = argparse.ArgumentParser(prog="./run fuzz")
    parser.add_argument("--inputs", type=int, default=1_000_000, help="in total")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(decoders()))
    options = parser.parse_args()
    chosen = {name: decoders()[name] for name in options.names or decoders()}
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MAX + (1 << 30), MEMORY_MAX + (1 << 30)))
    if len(chosen) == 1 and _guide(*chosen.values()):
        return 0
    print(f"seed {options.seed}, {options.inputs // len(chosen)} inputs for each of {len(chosen)} decoders", flush=True)
    signal.signal(signal.SIGVTALRM, _give_up)
    found = 0
    for name, decoder in chosen.items():
        began = time.monotonic()
        faults = fuzz(name, decoder, options.seed, options.inputs // len(chosen))
        found += faults
        print(f"{name}: {faults} faults, {time.monotonic() - began:.0f} s", flush=True)
    return 1 if found else 0


def fuzz(name: str, decoder: Decoder, seed: int, inputs: int) -> int:
    """Try damaged samples; return how many faults there are."""
    chance = random.Random(f"{seed} {name}")
    samples = [*decoder.samples, *(path.read_bytes() for path in corpus_of(name))]
    faults: set[str] = set()
    for _ in range(inputs):
        data = mutated(chance, samples, decoder.words)
        fault = fault_of(decoder, data)
        if fault and fault not in faults:
            faults.add(fault)
            path = CORPUS / f"{name.replace(' ', '_')}-{hashlib.sha256(data).hexdigest()[:12]}"
            path.write_bytes(data)
            print(f"{name}: {fault}: {path}", flush=True)
        elif not fault and chance.random() < 0.001 and len(samples) < KEPT_MAX:
            samples.append(data)
    return len(faults)


def fault_of(decoder: Decoder, data: bytes) -> str:
    """Return what is wrong with the answer to an input; empty if nothing is."""
    began = time.process_time()
    signal.setitimer(signal.ITIMER_VIRTUAL, HANG_S)
    try:
        read(decoder, data)
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__} at {place.filename}:{place.lineno}"
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    return "slow" if time.process_time() - began > SECONDS_MAX else ""


def _give_up(number: int, frame: object) -> None:
    raise TimeoutError(f"an input takes more than {HANG_S:g} s of the processor")


def corpus_of(name: str) -> list[Path]:
    """Return the kept inputs of a decoder."""
    return sorted(CORPUS.glob(f"{name.replace(' ', '_')}-*"))


def _guide(decoder: Decoder) -> bool:
    """Run atheris until it is interrupted, if it is there."""
    try:
        import atheris  # type: ignore[import-untyped]
    except ImportError:
        return False
    atheris.instrument_all()
    atheris.Setup([sys.argv[0], str(CORPUS)], lambda data: read(decoder, data))
    atheris.Fuzz()
    return True


if __name__ == "__main__":
    sys.exit(main())
