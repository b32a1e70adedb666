"""Single filter rules: which are accepted, which are refused, and that formatting reverses parsing."""

from __future__ import annotations

import pytest

from mrsync.errors import RuleError
from mrsync.tree.filter import rules
from mrsync.tree.filter.rules import Rule, parse_rule

IN, D, N, A, P = rules.INCLUDE, rules.DIRECTORY, rules.NEGATED, rules.ABSOLUTE, rules.PERISHABLE
S, R, X = rules.SENDER, rules.RECEIVER, rules.ATTRIBUTES
DIR_MERGE = rules.MERGE | rules.PER_DIRECTORY
CVS = rules.CVS | rules.PLAIN | rules.WORDS | rules.NO_INHERIT

GOOD = {
    b"- foo": Rule(b"foo", 0),
    b"+ foo": Rule(b"foo", IN),
    b"-_foo": Rule(b"foo", 0),
    b"-  foo": Rule(b" foo", 0),
    b"- foo/": Rule(b"foo", D),
    b"- /": Rule(b"/", 0),
    b"- //": Rule(b"/", D),
    b"exclude foo": Rule(b"foo", 0),
    b"include,! foo": Rule(b"foo", IN | N),
    b"hide foo": Rule(b"foo", S),
    b"S foo": Rule(b"foo", S | IN),
    b"P_foo": Rule(b"foo", R),
    b"risk foo": Rule(b"foo", R | IN),
    b"-,/!p foo": Rule(b"foo", A | N | P),
    b"-sr foo": Rule(b"foo", S | R),
    b"-x user.*": Rule(b"user.*", X),
    b"clear": Rule(b"", rules.CLEAR),
    b"!,": Rule(b"", rules.CLEAR),
    b": .x": Rule(b".x", DIR_MERGE),
    b"dir-merge,n- .x": Rule(b".x", DIR_MERGE | rules.NO_INHERIT | rules.PLAIN),
    b":C": Rule(b".cvsignore", DIR_MERGE | CVS),
    b".+e /x": Rule(b"/x", rules.MERGE | rules.PLAIN | IN | rules.EXCLUDES_SELF),
    b"-C": Rule(b"", CVS),
}


@pytest.mark.parametrize(("text", "expected"), GOOD.items())
def test_rules_are_parsed_as_rsync_does(text: bytes, expected: Rule) -> None:
    assert parse_rule(text, 0, "here") == expected


@pytest.mark.parametrize("rule", [rule for rule in GOOD.values() if rule.pattern and not rule.flags & rules.CLEAR])
def test_text_means_the_same(rule: Rule) -> None:
    assert parse_rule(rule.text, 0, "here") == rule


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"foo", "unknown filter rule 'foo'"),
        (b"  - foo", "unknown filter rule"),
        (b"excluded foo", "unknown filter rule"),
        (b"-", "lacks its pattern"),
        (b"- ", "lacks its pattern"),
        (b"dir-merge", "lacks its pattern"),
        (b"!x", "nothing can follow"),
        (b"clear foo", "nothing can follow"),
        (b"-n foo", "the modifier 'n' cannot be in '-n foo'"),
        (b"-\tfoo", "modifier"),
        (b"Hs foo", "the modifier 's'"),
        (b"PC foo", "the modifier 'C'"),
        (b".! foo", "the modifier '!'"),
        (b".-+ foo", "the modifier '+'"),
        (b":-C foo", "the modifier 'C'"),
        (b"- " + b"x" * 5000, "more than 4096 bytes"),
    ],
)
def test_a_bad_rule_is_named_with_its_place(text: bytes, reason: str) -> None:
    with pytest.raises(RuleError) as raised:
        parse_rule(text, 0, "rules.txt, line 3")
    assert str(raised.value).startswith("rules.txt, line 3: ")
    assert reason in str(raised.value)


def test_rules_in_a_file_of_one_side_name_none() -> None:
    assert parse_rule(b"- foo", rules.MERGE | R | P, "here") == Rule(b"foo", R | P)
    with pytest.raises(RuleError, match="names a side"):
        parse_rule(b"H foo", rules.MERGE | R, "here")


def test_exclude_options_know_only_the_old_prefixes() -> None:
    assert parse_rule(b"foo", IN, "here", is_old=True) == Rule(b"foo", IN)
    assert parse_rule(b"- foo", IN, "here", is_old=True) == Rule(b"foo", 0)
    assert parse_rule(b"+ foo", 0, "here", is_old=True) == Rule(b"foo", IN)
    assert parse_rule(b"!", 0, "here", is_old=True) == Rule(b"", rules.CLEAR)
    assert parse_rule(b"!foo", 0, "here", is_old=True) == Rule(b"!foo", 0)
    assert parse_rule(b"-foo", 0, "here", is_old=True) == Rule(b"-foo", 0)
    assert parse_rule(b"", 0, "here", is_old=True) is None


def test_plain_files_have_no_prefixes() -> None:
    assert parse_rule(b"- foo", rules.MERGE | rules.PLAIN, "here") == Rule(b"- foo", 0)
    assert parse_rule(b"!", rules.MERGE | rules.PLAIN, "here") == Rule(b"!", 0)
    assert parse_rule(b"!", rules.MERGE | CVS, "here") == Rule(b"", rules.CLEAR)
