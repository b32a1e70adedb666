"""Random pairs of trees with random filter options, each drawn from one seed."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass, field

NAMES = (
    b"a", b"b", b"ab", b"abc", b"foo", b"bar", b"foo.c", b"bar.o", b"foobar", b"a.b.c", b"CVS", b"core", b"x~", b"sub",
    b".hid", b"-dash", b"+plus", b"!", b"a b", b"a*b", b"[ab]", b"a]b", b"q?", b"back\\slash", b"new\nline",
    b"\xff\xfe", b"#hash", b";semi", b"_", b"A", b"Z9", b"\x7f", b"tab\t", b"\xc3\xa9", b"{x}", b"^c", b"a-c",
    b"foo_bar", b"***",
)  # fmt: skip
PLAIN_NAMES = NAMES[:14]
MERGE_NAMES = (b".rules", b".r2", b".cvsignore", b".rsync-filter")
PIECES = (
    b"*", b"*", b"*", b"**", b"***", b"?", b"??", b"a", b"b", b"c", b"o", b"f", b".", b".c", b"foo", b"[ab]", b"[!a]",
    b"[^a-f]", b"[a-c]", b"[[:alpha:]]", b"[[:digit:]x]", b"[]a]", b"[!]]", b"\\*", b"\\[", b"\\a", b"\\\\", b"[",
    b"[a", b"[[:bad:]]", b"[[:alpha:", b"[z-a]", b"[a-]", b"[-a]", b"[\\]a]", b"[a/b]", b"[[:space:]]", b"[--0]",
    b"[!-~]", b"-", b"]", b"+", b"[[:punct:]]", b"[a-\\c]", b"[^[:alnum:]]", b"[[:]", b"[[:x]", b"{x}", b"\xff",
)  # fmt: skip
KINDS = (
    b"+", b"-", b".", b":", b"H", b"S", b"P", b"R", b"!", b"include", b"exclude", b"merge", b"dir-merge", b"hide",
    b"show", b"protect", b"risk", b"clear", b"x", b"", b"excl",
)  # fmt: skip

Tree = dict[bytes, "bytes | None"]  # path -> contents; None for a directory; b"->" begins a soft link


@dataclass
class Case:
    """Two trees, files outside them (path -> contents), and the options of a run."""

    seed: int
    source: Tree
    dest: Tree
    files: dict[bytes, bytes] = field(default_factory=dict)
    options: list[bytes] = field(default_factory=list)


def draw_case(seed: int) -> Case:
    """The case of a seed for filter rules; every case switches whole kinds of trouble off."""
    return _Drawing(random.Random(seed), seed).draw()


def draw_list_case(seed: int) -> Case:
    """The case of a seed for --files-from and size limits."""
    return _Drawing(random.Random(f"list {seed}"), seed).draw_list()


def draw_rule_text(chance: random.Random) -> bytes:
    """What may or may not be a filter rule."""
    text: bytes = chance.choice(KINDS) + chance.choice((b"", b"", b","))
    for _ in range(chance.choice((0, 0, 1, 2))):
        text += chance.choice((b"/", b"!", b"C", b"s", b"r", b"p", b"x", b"e", b"n", b"w", b"+", b"-", b",", b"z"))
    return (
        text
        + chance.choice((b" ", b"_", b"", b"  ", b"\t"))
        + chance.choice((b"foo", b"", b"/", b"//", b"a b", b"rules"))
    )


class _Drawing:
    def __init__(self, chance: random.Random, seed: int) -> None:
        self._chance = chance
        self._case = Case(seed, {}, {})
        self._names = NAMES if chance.random() < 0.4 else PLAIN_NAMES
        self._wildness = chance.choice((0.0, 0.2, 0.7))
        self._has_merges = chance.random() < 0.5
        self._has_nuls = chance.random() < 0.1
        self._has_single = False
        self._has_sides = chance.random() < 0.4
        self._has_modifiers = chance.random() < 0.4

    def draw(self) -> Case:
        chance, case = self._chance, self._case
        self._draw_tree(case.source, chance.randrange(4, 25))
        self._draw_dest()
        if self._has_merges:
            self._draw_merge_files(case.dest)
            self._draw_single()
            self._draw_merge_files(case.source)
            self._draw_merge_files_above()
        for _ in range(chance.randrange(1, 7)):
            case.options += self._draw_option()
        for option, probability in ((b"--delete-excluded", 0.15), (b"-C", 0.1), (b"--prune-empty-dirs", 0.2)):
            if self._is(probability):
                case.options.insert(chance.randrange(len(case.options) + 1), option)
        if self._has_nuls:
            case.options.insert(0, b"--from0")
        return case

    def draw_list(self) -> Case:
        """Without merge files: whether they hold for listed paths depends on the order of the list, for rsync."""
        chance, case = self._chance, self._case
        self._draw_tree(case.source, chance.randrange(4, 25))
        self._draw_dest()
        if self._is(0.7):
            entries = [self._draw_entry() for _ in range(chance.randrange(0, 8))]
            end = chance.choice((b"\n", b"\n", b"\r\n", b"\0"))
            case.files[b"list"] = end.join([*entries, b""])
            case.options += [b"--files-from=@list"] + [b"--from0"] * (end == b"\0") + [b"--recursive"] * self._is(0.4)
        if self._is(0.4):
            case.options.append(b"--max-size=" + chance.choice((b"0", b"1", b"2b", b".002kb", b"1+1", b"2.5", b"1m")))
        if self._is(0.3):
            case.options.append(b"--min-size=" + chance.choice((b"1", b"2", b"3-1", b".001k")))
        if self._is(0.4):
            case.options += [b"--exclude=" + self._draw_old_rule() for _ in range(chance.randrange(1, 4))]
        return case

    def _draw_entry(self) -> bytes:
        """A path of the source, mostly; none that leads through a soft link, or is not there."""
        chance = self._chance
        roll = chance.random()
        if roll < 0.1:
            return chance.choice((b"#comment", b";comment", b"", b".", b"./", b"..", b"/", b"../."))
        paths = sorted(self._case.source) or [b"."]
        path = chance.choice(paths).replace(b"\n", b"")
        if path not in self._case.source:
            return b""
        if self._is(0.1):
            path = path.replace(b"/", chance.choice((b"//", b"/x/../", b"/../" + path[:0])))
        if self._is(0.3) and self._case.source.get(path, b"->") is None:
            path += chance.choice((b"/", b"/.", b"//"))
        if self._is(0.2):
            path = chance.choice((b"/", b"./", b"../", b"//")) + path
        return path if self._is(0.93) else b"missing" + path

    def _is(self, probability: float) -> bool:
        return self._chance.random() < probability

    # trees

    def _draw_tree(self, tree: Tree, count: int) -> None:
        directories = [b""]
        for _ in range(count):
            path = os.path.join(self._chance.choice(directories), self._chance.choice(self._names))
            if path in tree or path.count(b"/") > 4:
                continue
            if self._is(0.4):
                tree[path] = None
                directories.append(path)
            else:
                tree[path] = b"->a" if self._is(0.1) else self._chance.choice((b"", b"1", b"22", b"333"))

    def _draw_dest(self) -> None:
        """Some of the source, some of it changed, and more."""
        source, dest = self._case.source, self._case.dest
        share = self._chance.choice((0.0, 0.5, 0.9))
        for path in sorted(source):
            if (b"/" not in path or dest.get(os.path.dirname(path), b"") is None) and self._is(share):
                dest[path] = source[path]
                if self._is(0.15):  # a file that became a directory, or the reverse
                    dest[path] = b"other" if source[path] is None else None
        self._grow(dest, self._chance.randrange(0, 20))

    def _grow(self, tree: Tree, count: int) -> None:
        for _ in range(count):
            directories = [b"", *(path for path, contents in tree.items() if contents is None)]
            path = os.path.join(self._chance.choice(directories), self._chance.choice(self._names))
            if path not in tree and path.count(b"/") <= 4:
                tree[path] = None if self._is(0.4) else b"extra"

    def _draw_merge_files(self, tree: Tree) -> None:
        directories = [b"", *(path for path, contents in tree.items() if contents is None)]
        for directory in directories:
            for name in MERGE_NAMES:
                if self._is(0.25):
                    tree.setdefault(os.path.join(directory, name), self._draw_merge_file())

    def _draw_single(self) -> None:
        """A file in the source's root, which its merge files may merge."""
        if self._is(0.2):
            self._case.source.setdefault(b".single", self._draw_merge_file())
            self._has_single = True

    def _draw_merge_files_above(self) -> None:
        for name in MERGE_NAMES:
            if self._is(0.1):
                self._case.files[name] = self._draw_merge_file()

    def _draw_merge_file(self) -> bytes:
        """Rules that are good whichever way the file is read."""
        lines = []
        for _ in range(self._chance.randrange(0, 4)):
            roll = self._chance.random()
            if roll < 0.1:
                lines.append(self._chance.choice((b"# comment", b"; comment", b"")))
            elif roll < 0.15:
                lines.append(b"!")
            elif roll < 0.18 and self._has_single:
                lines.append(self._chance.choice((b". .single", b".- .single", b"merge .single")))
            elif roll < 0.22:
                lines.append(b":" + self._draw_merge_modifiers() + b" " + self._chance.choice(MERGE_NAMES))
            else:
                lines.append(self._draw_rule(sides=False))
        end = b"\0" if self._has_nuls else self._chance.choice((b"\n", b"\n", b"\r\n"))
        return end.join(lines) + self._chance.choice((b"\n", b""))

    # options

    def _draw_option(self) -> list[bytes]:
        chance = self._chance
        roll = chance.random()
        if roll < 0.2:
            return [b"--exclude=" + self._draw_old_rule()]
        if roll < 0.3:
            return [b"--include=" + self._draw_old_rule()]
        if roll < 0.36:
            name = b"from%d" % len(self._case.files)
            lines = [self._draw_old_rule() for _ in range(chance.randrange(0, 5))]
            end = b"\0" if self._has_nuls else b"\n"
            self._case.files[name] = end.join([*lines, b""])
            return [chance.choice((b"--exclude-from=", b"--include-from=")) + b"@" + name]
        if self._has_merges and roll < 0.6:
            return self._draw_merge_option()
        if roll < 0.63:
            return [b"--filter=!"]
        if roll < 0.67:
            path = chance.choice(sorted(self._case.source) or [b"x"]).replace(b"\n", b"?")
            return [b"--filter=" + chance.choice((b"-/s", b"+/s", b"-/!s")) + b" @source/" + path]
        return [b"--filter=" + self._draw_rule(sides=True)]

    def _draw_merge_option(self) -> list[bytes]:
        chance = self._chance
        roll = chance.random()
        if roll < 0.15:
            return [chance.choice((b"-F", b"-FF"))]
        if roll < 0.3:
            name = b"merge%d" % len(self._case.files)
            self._case.files[name] = self._draw_merge_file()
            return [b"--filter=" + chance.choice((b". ", b"merge ", b"merge,e ")) + b"@" + name]
        prefix = chance.choice((b":", b"dir-merge,", b":"))
        modifiers = self._draw_merge_modifiers(is_option=True)
        name = chance.choice((b"", b"", b"", b"/", b"../", b"x/")) + chance.choice(MERGE_NAMES)
        return [b"--filter=" + (prefix + modifiers if modifiers else b":") + b" " + name]

    def _draw_merge_modifiers(self, *, is_option: bool = False) -> bytes:
        """Such that a file with prefixes can be read; another is one of patterns, in which anything is good."""
        chance = self._chance
        drawn = [modifier for modifier in (b"e", b"n", b"p", b"/") if self._is(0.15)]
        if is_option and self._has_sides and self._is(0.2):
            drawn.append(chance.choice((b"s", b"r")))
        if self._is(0.2):
            drawn.append(chance.choice((b"-", b"+", b"-w", b"C")))
        return b"".join(drawn)

    def _draw_rule(self, *, sides: bool) -> bytes:
        chance = self._chance
        short = [b"+", b"-", b"-"]
        long = [b"include", b"exclude"]
        if sides and self._has_sides:
            short += [b"H", b"S", b"P", b"R", b"P"]
            long += [b"hide", b"show", b"protect", b"risk"]
        kind = chance.choice(short)
        modifiers = b""
        if self._has_modifiers:
            modifiers = b"".join(m for m in (b"/", b"!", b"p", b"x") if self._is(0.12))
            if sides and self._has_sides and kind in b"+-" and self._is(0.3):
                modifiers += chance.choice((b"s", b"r"))
        if self._is(0.2):
            kind = chance.choice(long)
            modifiers = b"," + modifiers if modifiers else b""
            if kind not in (b"include", b"exclude"):
                modifiers = modifiers.replace(b"s", b"").replace(b"r", b"")
        elif modifiers and self._is(0.2):
            modifiers = b"," + modifiers
        return kind + modifiers + chance.choice((b" ", b"_")) + self._draw_pattern()

    def _draw_old_rule(self) -> bytes:
        pattern = self._draw_pattern()
        roll = self._chance.random()
        if roll < 0.1:
            return b"- " + pattern
        if roll < 0.2:
            return b"+ " + pattern
        return b"!" if roll < 0.23 else pattern

    def _draw_pattern(self) -> bytes:
        chance = self._chance
        parts = [self._draw_part() for _ in range(chance.choice((1, 1, 1, 2, 2, 3)))]
        if self._is(0.2):
            # a path of one of the trees, or its end
            paths = sorted(self._case.source) + sorted(self._case.dest)
            if paths:
                parts = chance.choice(paths).split(b"/")[-chance.randrange(1, 4) :]
        pattern: bytes = b"/".join(parts)
        if self._is(0.25):
            pattern = chance.choice((b"/", b"/", b"/", b"/", b"//")) + pattern
        if self._is(0.1):
            pattern = chance.choice((b"**/", b"*/", b"/**/")) + pattern
        if self._is(0.1):
            pattern += chance.choice((b"/**", b"/***", b"/*", b"***", b"**"))
        if self._is(0.2):
            pattern += b"/"
        return pattern.replace(b"\n", b"?") or b"*"

    def _draw_part(self) -> bytes:
        if not self._is(self._wildness):
            return bytes(self._chance.choice((*self._names, b"*", b"*.o")))
        return b"".join(self._chance.choice(PIECES) for _ in range(self._chance.randrange(1, 4)))
