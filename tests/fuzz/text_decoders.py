"""Decoders of what users write: lists, rules, patterns and settings; and of what probes report in JSON."""

from __future__ import annotations

import itertools
import os
import tempfile
from pathlib import Path

from mrsync.cli.registry.option import MRSYNC
from mrsync.cli.registry.parser import make_parser
from mrsync.cli.settings.configuration import parse_configured
from mrsync.errors import MrsyncError
from mrsync.remote import keyfile
from mrsync.remote.inventory import read_inventory
from mrsync.run.bootstrap import Readiness
from mrsync.run.measure.facts import Heard, HostFacts, decode_facts, encode_facts
from mrsync.run.settings import Invitation
from mrsync.run.verify.findings import TreeVerdict, decode_finding, encode_finding
from mrsync.tree.filter import globs
from mrsync.tree.filter.ere import Patterns
from mrsync.tree.filter.matching import compile_runs
from mrsync.tree.filter.merge_files import split_entries
from mrsync.tree.filter.rules import parse_rule
from mrsync.tree.lists.rsync_output import translate
from mrsync.tree.lists.shell_patterns import split_list, translate_pattern
from mrsync.tree.lists.synclist import parse_lines
from mrsync.tree.record.verification import Difference
from tests.fuzz.decoder import Decoder

PATHS = (b"a", b"a/" * 40 + b"b", b"a" * 200, b"x y/z.c")


def list_decoders() -> dict[str, Decoder]:
    output = b"sending incremental file list\ndeleting old/\n./\na\nlink -> a\nd/hard => a\n\nsent 1 bytes  received\n"
    itemized = b"*deleting   old\n>f+++++++++ a\ncL+++++++++ link -> a\nhf          d/hard => a\n.d..t...... ./\n"
    synclist = b"file a\ndirectory b\nhardlink c\td\ndeleting x\nsymlink l\ta\n"
    rules = [
        b"- *.o",
        b"+ /a/**/b?",
        b"P [!a-z[:digit:]]*",
        b"dir-merge,n- .rules",
        b"hide secret",
        b"!",
        b": .f",
        b"-x user.*",
    ]
    expressions = [b"a*b(c|d)+[^x-z]{2,30}$", b"^(ab*){3}.?\\.c", b"(((a?){9}){9}){9}", b"[[:alpha:]]|x{1,}"]
    wild = [b"a*b?c[!d-f]**/x", b"***", b"[[:space:]]\\*", b"*a*a*a*a*a*a*b"]
    return {
        "rsync's output": Decoder(
            lambda data: translate(data.splitlines(True), b"/usr/share/doc"),
            [output, itemized],
            (b" -> ", b" => ", b"deleting "),
        ),
        "synclist": Decoder(lambda data: parse_lines(data.splitlines(True), "list"), [synclist], (b"\\#012", b"\t")),
        "rules": Decoder(_read_rules, [*rules, b"\n".join(rules)], (b"**", b"[", b"/", b"\\", b"merge ", b",sr!Cw ")),
        "patterns": Decoder(_read_glob, wild, (b"**", b"[!", b"[:alpha:]", b"\\")),
        "expressions": Decoder(_read_expressions, expressions, (b"(", b")*", b"{1,255}", b"[^", b"|"), (ValueError,)),
        "shell patterns": Decoder(
            _read_shell_patterns, [*wild, b"a b 'c d' {x,y}"], (b"[", b"{", b","), (MrsyncError, ValueError)
        ),
        "merge files": Decoder(
            lambda data: [
                list(split_entries(data, has_nuls=nuls, has_words=words))
                for nuls in (False, True)
                for words in (False, True)
            ],
            [b"a\r\n# b\n;c\0d e"],
        ),
    }


def _read_rules(data: bytes) -> None:
    found = [parse_rule(line, 0, "rules") for line in data.split(b"\n")[:50]]
    compile_runs([rule for rule in found if rule is not None])


def _read_glob(data: bytes) -> None:
    import re

    expression = globs.translate(data, b"$", itertools.count())
    if expression is not None:
        for path in PATHS:
            re.match(expression, path, re.DOTALL)


def _read_expressions(data: bytes) -> None:
    patterns = Patterns(data.split(b"\n"))
    for path in PATHS:
        patterns.match(path)


def _read_shell_patterns(data: bytes) -> None:
    for word in split_list(data):
        expression = translate_pattern(word)
        for path in PATHS:
            expression.fullmatch(os.fsdecode(path))


def settings_decoders() -> dict[str, Decoder]:
    settings = b'rate = "5M"\nexclude = ["a", "b"]\ndelete = false\nfanout = 5\n'
    invitation = Invitation(("a", "b"), b"/d", bytes(32), verify_key=bytes(32), masters=("10.0.0.1",))
    ini = b"[web]\na ansible_host=10.0.0.1\nb[01:20]\n[all:children]\nweb\n[web:vars]\nansible_user=x\n"
    yaml = b"all:\n  children:\n    web:\n      hosts:\n        a: {ansible_host: 10.0.0.1}\n        b[01:20]:\n"
    keys = b"0" * 64 + b"\n0 " + b"1" * 64
    return {
        "settings": Decoder(_read_settings, [settings], (b"=", b'"', b"[[", b"true", b"1e999", b"1979-05-27")),
        "key file": Decoder(
            lambda data: keyfile._read_lines("keys", b"group " + data), [keys], (b"group ", b"\n7 "), (MrsyncError,)
        ),
        "inventory": Decoder(
            lambda data: read_inventory("hosts", data.decode("latin-1")), [ini], (b"[1:9]", b":children]")
        ),
        "inventory in YAML": Decoder(
            lambda data: read_inventory("h.yml", data.decode("latin-1")), [yaml], (b"&a ", b"*a", b"<<: ")
        ),
        "invitation": Decoder(
            lambda data: Invitation.decode(data).settings_for("a"), [invitation.encode()], (b"null", b"[]", b"1e999")
        ),
    }


def _read_settings(data: bytes) -> None:
    path = Path(tempfile.gettempdir(), f"mrsync-fuzz-{os.getpid()}.toml")
    path.write_bytes(data)
    parse_configured(make_parser(MRSYNC), ["--config", str(path)], reads_defaults=False)


def report_decoders() -> dict[str, Decoder]:
    facts = encode_facts([HostFacts(), Heard()]).encode()
    findings = [encode_finding(TreeVerdict()).encode(), encode_finding(Difference("extra", b"\xff", "", 3)).encode()]
    return {
        "facts": Decoder(decode_facts, [facts], (b"null", b"[]", b"1e999", b"NaN")),
        "finding": Decoder(decode_finding, findings, (b"null", b"[]", b"1e999", b"NaN", b'"\\ud800"')),
        "readiness": Decoder(
            Readiness.decode, [Readiness("10.0.0.1", 5).encode().encode()], (b"null", b"[]", b"1e999")
        ),
    }
