"""Which names in a directory are excluded; tests/rsync compares all of it with rsync."""

from __future__ import annotations

import re

import pytest

from mrsync.tree.filter import rules
from mrsync.tree.filter.filters import Block, Filters, Scope
from mrsync.tree.filter.rules import Rule, parse_rule

ROOT = b"/src"


def parsed(*texts: bytes) -> list[Rule]:
    return [rule for text in texts if (rule := parse_rule(text, 0, "here")) is not None]


class Disk(dict[bytes, bytes]):
    """Merge files by absolute path."""

    def read(self, path: bytes) -> bytes:
        if path not in self:
            raise FileNotFoundError(path)
        return self[path]


def scope_of(path: bytes, *texts: bytes, side: int = rules.SENDER, disk: Disk | None = None) -> Scope:
    """The rules in force in a directory, as found by descending to it."""
    files = disk or Disk()
    scope = Filters(parsed(*texts), side, ROOT).scope().within(b"", files.read)
    parts = path.split(b"/") if path else []
    for depth in range(len(parts)):
        scope = scope.within(b"/".join(parts[: depth + 1]), files.read)
    return scope


@pytest.mark.parametrize(
    ("rule", "path", "excluded"),
    [
        (b"- //foo", b"", False),
        (b"- //foo", b"d", False),
        (b"- ///foo", b"", False),
        (b"- //d/foo", b"d", False),
        (b"- /d//foo", b"d", False),
        (b"- foo", b"d", True),
        (b"- /foo", b"", True),
        (b"- /foo", b"d", False),
        (b"- d/foo", b"x/d", True),
        (b"- d/foo", b"d/x", False),
        (b"- /d/foo", b"x/d", False),
        (b"- d/**", b"d/e", True),
        (b"- **/foo", b"", True),
        (b"- d/*/foo", b"d/e", True),
        (b"- d/*/foo", b"d/e/f", False),
        (b"- foo/", b"", False),
        (b"-! *.c", b"", True),
        (b"-/ /src/d/foo", b"d", True),
        (b"-/ /d/foo", b"d", False),
        (b"-x foo", b"", False),
        (b"P foo", b"", False),
        (b"H foo", b"", True),
    ],
)
def test_rules_for_files_exclude_them(rule: bytes, path: bytes, excluded: bool) -> None:
    assert (b"foo" in scope_of(path, rule).excluded([b"bar.c", b"foo"])) is excluded


@pytest.mark.parametrize("rule", [b"- d/", b"- d", b"- d/***", b"- /d/***", b"- **d/", b"-! *e"])
def test_rules_for_directories_exclude_them(rule: bytes) -> None:
    assert scope_of(b"", rule).excluded([b"d", b"e"], [b"d", b"e"]) == {b"d"}


def test_first_rule_that_matches_counts() -> None:
    names = [b"a.c", b"a.o", b"core", b"d"]
    assert scope_of(b"", b"+ */", b"+ *.c", b"- *").excluded(names, [b"d"]) == {b"a.o", b"core"}
    assert scope_of(b"", b"- *.o", b"+ core", b"- c*").excluded(names, [b"d"]) == {b"a.o"}


def test_merge_files_are_inherited_and_the_nearest_counts_first() -> None:
    disk = Disk({b"/src/.r": b"- a\n- b\n- /top\n", b"/src/d/.r": b"+ a\n- /here\n"})
    names = [b"a", b"b", b"here", b"top"]
    assert scope_of(b"", b": .r", disk=disk).excluded(names) == {b"a", b"b", b"top"}
    assert scope_of(b"d", b": .r", disk=disk).excluded(names) == {b"b", b"here"}
    assert scope_of(b"d/e", b": .r", disk=disk).excluded(names) == {b"b"}
    assert scope_of(b"d", b":n .r", disk=disk).excluded(names) == {b"here"}


def test_clear_in_a_merge_file_drops_inherited_rules() -> None:
    disk = Disk({b"/src/.r": b"- a\n", b"/src/d/.r": b"!\n- b\n"})
    assert scope_of(b"d", b"- c", b": .r", disk=disk).excluded([b"a", b"b", b"c"]) == {b"b", b"c"}


def test_inherited_rules_have_a_limit_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mrsync.tree.filter.filters.RULE_FILE_BYTES_MAX", 30)
    disk = Disk({ROOT + b"/d" * depth + b"/.m": b"- %d0*0*0\n" % depth for depth in range(8)})
    assert scope_of(b"d/d", b": .m", disk=disk).excluded([b"20000", b"3000"]) == {b"20000"}
    with pytest.raises(OSError, match="too large"):
        scope_of(b"d/d/d/d", b": .m", disk=disk)


def test_only_the_rules_that_were_used_last_stay_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mrsync.tree.filter.filters.COMPILED_BYTES_MAX", 30)
    disk = Disk({ROOT + b"/%d/.m" % number: b"- %d*x*y\n" % number for number in range(8)})
    top = Filters(parsed(b": .m"), rules.SENDER, ROOT).scope().within(b"", disk.read)
    scopes = [top.within(b"%d" % number, disk.read) for number in range(8)]
    for _ in range(2):
        for number, scope in enumerate(scopes):
            assert scope.excluded([b"%dxy" % number, b"z"]) == {b"%dxy" % number}
    blocks = [item for scope in scopes for items in scope._lists.values() for item in items if isinstance(item, Block)]
    assert len(blocks) == 8
    assert sum(bool(block._runs) for block in blocks) == 5


def test_merge_file_with_a_slash_is_looked_for_above_the_tree() -> None:
    disk = Disk({b"/.r": b"- a\n- /src/d/b\n- /src/b\n"})
    assert scope_of(b"d", b": /.r", disk=disk).excluded([b"a", b"b"]) == {b"a", b"b"}
    assert scope_of(b"d", b": .r", disk=disk).excluded([b"a", b"b"]) == set()


def test_merge_file_may_name_another() -> None:
    disk = Disk({b"/src/.r": b": .q\n", b"/src/d/.q": b"- a\n"})
    assert scope_of(b"d", b": .r", disk=disk).excluded([b"a"]) == {b"a"}


def test_perishable_rules_do_not_apply_in_deleted_directories() -> None:
    scope = scope_of(b"", b"-p a", b"- b", side=rules.RECEIVER)
    assert scope.excluded([b"a", b"b"]) == {b"a", b"b"}
    assert scope.excluded([b"a", b"b"], has_perishable=False) == {b"b"}


def test_many_literal_names_cost_no_more_than_one() -> None:
    """Two thousand million comparisons would run into the suite's limit for one test."""
    names = [b"name%d" % number for number in range(50_000)]
    scope = scope_of(
        b"", *[b"- other%d" % number for number in range(20_000)], *[b"- /p/x%d" % n for n in range(20_000)]
    )
    assert scope.excluded(names) == set()


def test_thousands_of_rules_and_names_are_matched_in_small_searches() -> None:
    """Each holds Python's lock, so one of all rules in all names would keep the loop from its sockets."""
    names = [b"f%d.x%d.o" % (i, i % 300) for i in range(3000)]
    scope = scope_of(b"d", *(b"- *.x%d.?" % i for i in range(200)))
    assert scope.excluded(names) == {name for i, name in enumerate(names) if i % 300 < 200}


def test_rules_whose_letters_are_in_no_name_are_not_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled, compile_expression = list[bytes](), re.compile

    def note(source: bytes) -> re.Pattern[bytes]:
        compiled.append(source)
        return compile_expression(source)

    monkeypatch.setattr("re.compile", note)
    scope = scope_of(b"d", *(b"- *.y%d.*.z" % i for i in range(20_000)))
    assert scope.excluded([b"a.y12345.b.z", b"c"]) == {b"a.y12345.b.z"}
    assert len(compiled) <= 10  # those with .y1., .y12. and so on are tried
    assert sum(map(len, compiled)) < 100_000
