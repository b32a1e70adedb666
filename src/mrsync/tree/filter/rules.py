"""Parse and format one filter rule in rsync's notation."""

from __future__ import annotations

from mrsync.errors import RuleError
from mrsync.tree.model.failure import printable
from mrsync.tuples import NamedTuple

PATTERN_BYTES_MAX = 4096
RULES_BYTES_MAX = 1 << 20  # of those that targets are sent

# Flags of a rule. Rules in a merged file inherit the flags in INHERITED and SIDES from the merge rule.
INCLUDE = 1
ABSOLUTE = 2  # matched against the path from the host's root
NEGATED = 4
PERISHABLE = 8  # does not prevent the deletion of its directory
SENDER = 16  # hides or shows, but does not protect or risk
RECEIVER = 32
ATTRIBUTES = 64  # for names of extended attributes, not of files
DIRECTORY = 128  # matches directories only
MERGE = 256
PER_DIRECTORY = 512
PLAIN = 1024  # the merge file has patterns without prefixes
WORDS = 2048  # the merge file is split at white space
NO_INHERIT = 4096
CVS = 8192  # as CVS does; a rule that is not MERGE stands for CVS's own patterns
EXCLUDES_SELF = 16384
CLEAR = 32768
SIDES = SENDER | RECEIVER
INHERITED = ABSOLUTE | INCLUDE | PERISHABLE

_LONG_NAMES = {
    b"clear": b"!",
    b"dir-merge": b":",
    b"exclude": b"-",
    b"hide": b"H",
    b"include": b"+",
    b"merge": b".",
    b"protect": b"P",
    b"risk": b"R",
    b"show": b"S",
}
_KINDS = {
    b"+": INCLUDE,
    b"-": 0,
    b".": MERGE,
    b":": MERGE | PER_DIRECTORY,
    b"H": SENDER,
    b"S": SENDER | INCLUDE,
    b"P": RECEIVER,
    b"R": RECEIVER | INCLUDE,
    b"!": CLEAR,
}
_CVS_FLAGS = PLAIN | WORDS | NO_INHERIT | CVS
# Modifier -> (flags it adds, flags the rule must have, flags the rule must not have).
_MODIFIERS = {
    b"/": (ABSOLUTE, 0, 0),
    b"!": (NEGATED, 0, MERGE),
    b"p": (PERISHABLE, 0, 0),
    b"x": (ATTRIBUTES, 0, 0),
    b"C": (_CVS_FLAGS, 0, PLAIN),
    b"-": (PLAIN, MERGE, PLAIN),
    b"+": (PLAIN | INCLUDE, MERGE, PLAIN),
    b"e": (EXCLUDES_SELF, MERGE, 0),
    b"n": (NO_INHERIT, MERGE, 0),
    b"w": (WORDS, MERGE, 0),
    b"s": (SENDER, 0, 0),
    b"r": (RECEIVER, 0, 0),
}
_IMPOSSIBLE = (0, CLEAR, 0)
_SIDE_MODIFIERS = b"srC"  # not after a prefix that names a side itself


class Rule(NamedTuple):
    """A filter rule. pattern: without a slash at its end, which is the flag DIRECTORY; of a merge rule, its file."""

    pattern: bytes
    flags: int

    @property
    def text(self) -> bytes:
        """Return the rule as text with the same meaning when parsed without a template."""
        prefix = b"-"
        if self.flags & MERGE:
            prefix = b":" if self.flags & PER_DIRECTORY else b"."
        elif self.flags & INCLUDE:
            prefix = b"+"
        modifiers = b""
        rest = self.flags & ~(MERGE | PER_DIRECTORY | (0 if prefix == b"." or prefix == b":" else INCLUDE))
        for modifier in (b"C", b"+", b"-", b"/", b"!", b"p", b"x", b"e", b"n", b"w", b"s", b"r"):
            adds = _MODIFIERS[modifier][0]
            if adds & rest == adds:
                modifiers += modifier
                rest &= ~adds
        return prefix + modifiers + b" " + self.pattern + (b"/" if self.flags & DIRECTORY else b"")


def parse_rule(text: bytes, template: int, where: str, *, is_old: bool = False, is_quoted: bool = True) -> Rule | None:
    """Return the rule in a text, or None if it is empty; raise RuleError that names `where` the text is.

    template: flags of the merge rule whose file has the text, INCLUDE for an include option, else 0. is_old: only `+ `,
    `- ` and `!` are known as prefixes, as in --exclude and files of --exclude-from. is_quoted: errors show the text.
    """
    try:
        return _parse(text, template, is_old=is_old)
    except ValueError as error:
        quoting, plain = error.args
        raise RuleError(f"{where}: {quoting if is_quoted else plain}") from error


def _parse(text: bytes, template: int, *, is_old: bool) -> Rule | None:
    """Parse as `parse_rule`; raise ValueError with two messages: one that quotes the text, one that does not."""
    if not text:
        return None
    flags = template & INHERITED
    pattern = text
    if template & PLAIN:
        if text == b"!" and template & CVS:
            return Rule(b"", CLEAR)
    elif is_old:
        if text == b"!":
            return Rule(b"", CLEAR)
        if text[:2] in (b"- ", b"+ "):
            flags = flags & ~INCLUDE | _KINDS[text[:1]]
            pattern = text[2:]
    else:
        flags, pattern = _read_prefix(text, flags)
    if template & SIDES:
        if flags & SIDES:
            reason = "names a side, and so does the rule that merges the file"
            raise ValueError(f"'{printable(text)}' {reason}", f"a rule {reason}")
        flags |= template & SIDES
    if flags & CLEAR:
        if pattern:
            raise ValueError(f"nothing can follow the '!' in '{printable(text)}'", "nothing can follow a '!'")
        return Rule(b"", CLEAR)
    if not pattern and not flags & CVS:
        raise ValueError(f"'{printable(text)}' lacks its pattern", "a rule lacks its pattern")
    if len(pattern) >= PATTERN_BYTES_MAX:
        raise ValueError(*[f"a pattern has more than {PATTERN_BYTES_MAX} bytes"] * 2)
    if flags & MERGE:
        return Rule(pattern or b".cvsignore", flags)
    if len(pattern) > 1 and pattern.endswith(b"/"):
        return Rule(pattern[:-1], flags | DIRECTORY)
    return Rule(pattern, flags)


def _read_prefix(text: bytes, flags: int) -> tuple[int, bytes]:
    """Return flags and pattern of a rule that begins with kind and modifiers; raise ValueError as `_parse`."""
    kind, position = _read_kind(text)
    if kind not in _KINDS:
        raise ValueError(f"unknown filter rule '{printable(text)}'", "unknown filter rule")
    flags |= _KINDS[kind]
    names_side = bool(_KINDS[kind] & SIDES)
    if kind == b"!":
        return flags, text[position:]
    while position < len(text) and text[position] not in b" _":
        modifier = text[position : position + 1]
        adds, needs, excludes = _MODIFIERS.get(modifier, _IMPOSSIBLE)
        if flags & excludes or flags & needs != needs or (names_side and modifier in _SIDE_MODIFIERS):
            quoting = f"the modifier '{printable(modifier)}' cannot be in '{printable(text)}'"
            raise ValueError(quoting, "a modifier is not allowed here")
        flags |= adds
        position += 1
    return flags, text[position + 1 :]


def _read_kind(text: bytes) -> tuple[bytes, int]:
    """Return the kind as one byte, and the position of the modifiers."""
    for name, kind in _LONG_NAMES.items():
        if text.startswith(name) and (len(text) == len(name) or text[len(name)] in b" _,"):
            return kind, len(name) + (text[len(name) : len(name) + 1] == b",")
    return text[:1], 1 + (text[1:2] == b",")
