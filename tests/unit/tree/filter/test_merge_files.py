"""Rules from files: how they are split, where files are found, and how bad ones are reported."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mrsync.errors import FileError, RuleError
from mrsync.tree.filter import rules
from mrsync.tree.filter.merge_files import RULE_FILE_BYTES_MAX, RuleList, TreeReader, split_entries
from mrsync.tree.filter.rules import Rule


def test_comments_and_empty_lines_are_skipped() -> None:
    data = b"one\n\n# comment\r\n; comment\rtwo three\n #not\0gone"
    assert list(split_entries(data, has_nuls=False)) == [(1, b"one"), (5, b"two three"), (6, b" #not")]


def test_entries_that_end_in_nul_keep_newlines() -> None:
    assert list(split_entries(b"a\nb\0\0#c\0d", has_nuls=True)) == [(1, b"a\nb"), (4, b"d")]


def test_words_know_no_comments() -> None:
    assert list(split_entries(b"a  b\n#c\td", has_nuls=False, has_words=True)) == [
        (1, b"a"), (1, b"b"), (2, b"#c"), (2, b"d"),
    ]  # fmt: skip


def listed(files: dict[bytes, bytes], *texts: bytes, deletes_excluded: bool = False) -> RuleList:
    def read(path: bytes) -> bytes:
        if path not in files:
            raise FileNotFoundError(2, "no such file", path)
        return files[path]

    found = RuleList(read, deletes_excluded=deletes_excluded)
    for text in texts:
        found.add(text, "--filter")
    return found


def test_merged_file_takes_the_place_of_its_rule() -> None:
    files = {b"m": b"+ a\n. n\n- c\n", b"n": b"- b1\nP b2\n"}
    found = listed(files, b"- first", b". m", b"- last").rules
    assert [rule.pattern for rule in found] == [b"first", b"a", b"b1", b"b2", b"c", b"last"]


def test_clear_drops_all_before() -> None:
    assert listed({}, b"- a", b": .x", b"!", b"- b").rules == [Rule(b"b", 0)]


def test_a_merge_rule_may_exclude_its_file() -> None:
    assert listed({}, b":e sub/.x").rules[0] == Rule(b".x", 0)


def test_delete_excluded_makes_rules_the_senders() -> None:
    found = listed({}, b"- a", b"P b", b"-r c", deletes_excluded=True).rules
    assert [rule.flags for rule in found] == [rules.SENDER, rules.RECEIVER, rules.RECEIVER]


def test_cvs_patterns_come_from_three_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    monkeypatch.setenv("CVSIGNORE", "*.mine")
    found = listed({b"/home/somebody/.cvsignore": b"theirs\n"}, b"-C").rules
    patterns = {rule.pattern: rule.flags for rule in found}
    assert patterns[b"*.o"] & rules.PERISHABLE
    assert patterns[b".git"] & rules.DIRECTORY
    assert not patterns[b"theirs"] & rules.PERISHABLE
    assert b"*.mine" in patterns


def test_a_bad_rule_is_reported_with_its_file_and_line() -> None:
    with pytest.raises(RuleError, match=r"^m, line 2: unknown filter rule 'nonsense'$"):
        listed({b"m": b"- a\nnonsense\n"}, b". m")


def test_missing_file_is_reported() -> None:
    with pytest.raises(FileError, match="cannot read the rules in m: No such file"):
        listed({}, b". m")


def test_files_that_merge_one_another_come_to_an_end() -> None:
    with pytest.raises(RuleError, match="without end"):
        listed({b"m": b". n\n", b"n": b". m\n"}, b". m")


def test_files_in_a_tree_that_merge_each_other_many_times_are_too_large() -> None:
    """Without a limit these would be ten lines to the power of 15, and take years."""
    files = {b"/tree/%d" % level: b". /tree/%d\n" % (level + 1) * 10 for level in range(15)}
    loaded = RuleList(lambda path: files.get(path, b"- x\n"), directory=b"/tree", root=b"/tree")
    with pytest.raises(OSError, match="too large"):
        loaded.add_data(files[b"/tree/0"], b"/tree/0", 0)


def test_large_files_of_a_tree_have_a_limit_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mrsync.tree.filter.merge_files.LARGE_FILES_BYTES_MAX", 5000)
    (tmp_path / "small").write_bytes(b"- a\n" * 256)
    (tmp_path / "large").write_bytes(b"- a\n" * 1000)
    read = TreeReader(os.fsencode(tmp_path))
    for name in ("small", "large", "small"):
        assert read(os.fsencode(tmp_path / name))
    with pytest.raises(OSError, match="too large"):
        read(os.fsencode(tmp_path / "large"))
    assert read(os.fsencode(tmp_path / "small"))


def test_reading_from_a_tree_waits_for_nothing(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path)
    read = TreeReader(path)
    os.mkfifo(path + b"/pipe")
    (tmp_path / "directory").mkdir()
    assert read(path + b"/pipe") == b""
    assert read(path + b"/directory") == b""
    (tmp_path / "rules").write_bytes(b"- a\n" * 100_000)
    assert read(path + b"/rules") == b"- a\n" * 100_000
    (tmp_path / "huge").write_bytes(bytes(RULE_FILE_BYTES_MAX + 1))
    with pytest.raises(OSError, match="too large"):
        read(path + b"/huge")


def test_no_link_in_a_tree_is_followed(tmp_path: Path) -> None:
    tree, elsewhere = tmp_path / "tree", tmp_path / "elsewhere"
    for directory in (tree, elsewhere):
        directory.mkdir()
    (elsewhere / "rules").write_bytes(b"- secret\n")
    (tree / "rules").symlink_to(elsewhere / "rules")
    (tree / "d").symlink_to(elsewhere)
    read = TreeReader(os.fsencode(tree))
    for name in (b"/rules", b"/d/rules"):
        with pytest.raises(OSError, match=r"symbolic links|Not a directory") as caught:
            read(os.fsencode(tree) + name)
        assert caught.value.filename == os.fsencode(tree) + name


def test_the_root_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "rules").write_bytes(b"- a\n")
    (tmp_path / "link").symlink_to("tree")
    assert TreeReader(os.fsencode(tmp_path / "link"))(os.fsencode(tmp_path / "link" / "rules")) == b"- a\n"


def test_merge_files_outside_of_the_tree_must_be_world_readable(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    elsewhere = tmp_path / "other"
    elsewhere.mkdir()
    shadow = elsewhere / "shadow"
    shadow.write_bytes(b"root:hash\n")
    shadow.chmod(0o600)
    read = TreeReader(os.fsencode(tmp_path / "tree"))
    with pytest.raises(PermissionError):
        read(os.fsencode(shadow))
    shadow.chmod(0o644)
    assert read(os.fsencode(shadow)) == b"root:hash\n"


@pytest.mark.parametrize("text", [b"root:hash", b"-z hash", b"- ", b"!hash", b". hash", b". /no/hash", b"+" * 5000])
def test_text_of_a_file_in_a_tree_is_never_quoted(text: bytes) -> None:
    def read(path: bytes) -> bytes:
        raise FileNotFoundError(2, "no such file", path)

    found = RuleList(read, directory=b"/tree/d", root=b"/tree")
    with pytest.raises((RuleError, FileError)) as caught:
        found.add_data(b"- fine\n" + text + b"\n", b"/tree/d/.rules", 0)
    assert "hash" not in str(caught.value)
    assert "/tree/d" in str(caught.value)
