"""Extended regular expressions: grep -E is the oracle; nothing takes long."""

from __future__ import annotations

import random
import shutil
import subprocess

import pytest

from mrsync.tree.filter.ere import SIZE_MAX, Patterns

CASES = 400
ATOMS = (
    "a",
    "b",
    "/",
    ".",
    "[ab]",
    "[^a]",
    "[a-c]",
    "[[:alpha:]]",
    "[]a]",
    "[a-]",
    "\\.",
    "\\*",
    "(a|b)",
    "(ab|)",
    "^",
    "$",
)
needs_grep = pytest.mark.skipif(shutil.which("grep") is None, reason="there is no grep")


def draw_pattern(rng: random.Random, depth: int = 0) -> str:
    parts = []
    for _ in range(rng.randrange(1, 5)):
        atom = f"({draw_pattern(rng, depth + 1)})" if depth < 2 and rng.random() < 0.2 else rng.choice(ATOMS)
        if atom not in "^$" and rng.random() < 0.4:
            atom += rng.choice(("*", "+", "?", "{2}", "{1,}", "{0,2}"))
        parts.append(atom)
    return "".join(parts) + (f"|{draw_pattern(rng, depth + 1)}" if depth < 2 and rng.random() < 0.2 else "")


@needs_grep
@pytest.mark.parametrize("first", range(0, CASES, 100))
def test_patterns_match_as_in_grep(first: int) -> None:
    for seed in range(first, first + 100):
        rng = random.Random(seed)
        pattern = draw_pattern(rng)
        paths = ["".join(rng.choice("abc/.*-]") for _ in range(rng.randrange(8))) for _ in range(40)]
        # Without GNU's own idea of ^* and the like, which POSIX leaves open.
        grep = subprocess.run(
            ["grep", "-E", "-e", f"^({pattern})"],
            input="\n".join(paths) + "\n",
            capture_output=True,
            text=True,
            check=False,
            env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"},
        )
        assert grep.returncode in (0, 1), (seed, pattern, grep.stderr)
        compiled = Patterns([pattern.encode()])
        found = [path for path in paths if compiled.match(path.encode())]
        assert found == grep.stdout.splitlines(), (seed, pattern)


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        (r"etc/.*\.conf", ["etc/a.conf", "etc/x/y.conf", "etc/a.conf.old"], ["etc/aconf", "usr/etc/a.conf"]),
        (r"etc/.*\.conf$", ["etc/a.conf"], ["etc/a.conf.old"]),
        (r"^home", ["home", "home/x"], ["my/home"]),
        (r"a|b/c", ["a", "axx", "b/c"], ["b", "b/d", "xa"]),
        (r"[[:digit:]]{2,3}/", ["12/", "123/x"], ["1/", "1234/"]),
        (r"[]]", ["]"], ["["]),
        (r"[a\]", ["a", "\\"], ["b"]),
        (r"[[=a=][.b.]]x", ["ax", "bx"], ["cx"]),
        (r"a{x", ["a{x"], ["ax"]),
        (r"a)b", ["a)b"], ["ab"]),
        (r"", ["", "anything"], []),
        (r"$", [""], ["a"]),
        (r"caf.{1,2}$", ["caf\xe9"], ["caf"]),
    ],
)
def test_patterns_match_as_posix_says(pattern: str, matching: list[str], others: list[str]) -> None:
    compiled = Patterns([pattern.encode()])
    assert [path for path in matching + others if compiled.match(path.encode())] == matching


def test_one_of_many_is_enough_and_none_matches_nothing() -> None:
    many = Patterns([b"a%d/" % number for number in range(500)])
    assert many.match(b"a499/x")
    assert not many.match(b"a500/x")
    assert not Patterns([]).match(b"")


@pytest.mark.parametrize(
    "pattern",
    [r"*a", r"a|+", r"(*a)", r"(a", r"[a", r"[", r"[]", r"[[:alpha]", r"[[:nothing:]]", r"[[.ab.]]", r"[z-a]",
     r"a{3,2}", r"a{256}", r"\1", r"(a)\1", r"\w", "a\\", "a\0b", "[\xe9]", r"[[:alpha:]-z]", "(" * 200 + ")" * 200],
)  # fmt: skip
def test_invalid_patterns_are_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        Patterns([pattern.encode()])


def test_too_large_patterns_are_refused() -> None:
    with pytest.raises(ValueError, match="too large"):
        Patterns([b"((a{255}){255}){255}"])
    with pytest.raises(ValueError, match="too large"):
        Patterns([b"abcdefghij"] * (SIZE_MAX // 10) + [b"k"])
    with pytest.raises(ValueError, match="too large"):
        Patterns([b"(a?){255}" + b"*" * 4000])  # few positions, linked again and again


@pytest.mark.parametrize("pattern", [b"(" * 9 + b"){255}" * 9, b"a" + b"*" * 900])
def test_nothing_may_be_repeated_very_often(pattern: bytes) -> None:
    assert Patterns([pattern]).match(b"b")


@pytest.mark.parametrize(
    "pattern", [b"(a*)*b", b"(a|a)*b", b"(a?){100}a{100}b", b"(.*)*(.*)*(.*)*x$", b"((a{0,9}){0,9}){0,9}b"]
)
def test_no_pattern_takes_forever(pattern: bytes) -> None:
    """Python's re would need longer than the universe is old; the suite's limit for one test would end it."""
    assert not Patterns([pattern]).match(b"a" * 4096)
