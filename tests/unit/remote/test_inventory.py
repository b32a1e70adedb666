"""Inventories as Ansible's documentation shows them, and plain files of hosts."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from mrsync.errors import UsageError
from mrsync.remote.targets import read_targets

INI = """\
mail.example.com
[web]
web[01:03].example.com ansible_user=deploy  # three of them
web9 ansible_host=10.0.0.9
[db]
db-[a:c]
[db:vars]
ansible_user = postgres
[site:children]
web
db
; and nothing else
"""
YAML = """\
all:
  hosts:
    mail.example.com:
  vars:
    ansible_user: ops
  children:
    web:
      hosts:
        web[1:2]:
        web9:
          ansible_host: 10.0.0.9
          ansible_user: deploy
    db:
      hosts: {db1: null}
      vars: {ansible_user: postgres}
    site:
      children: {web: , db: }
"""


def targets(text: str) -> list[str]:
    return list(read_targets([text]).hosts)


@pytest.fixture
def ini(tmp_path: Path) -> Path:
    path = tmp_path / "hosts.ini"
    path.write_text(INI)
    return path


@pytest.fixture
def yml(tmp_path: Path) -> Path:
    path = tmp_path / "inventory.yml"
    path.write_text(YAML)
    return path


def test_json_is_read_as_yaml(tmp_path: Path) -> None:
    path = tmp_path / "inventory.json"
    path.write_text('{"all": {"children": {"web": {"hosts": {"a": {"ansible_user": "eve"}, "b": null}}}}}')
    assert read_targets([f"@{path}:web"]).hosts == read_targets([str(path)]).hosts == ("eve@a", "b")


LISTED = """
{"_meta": {"hostvars": {"a": {"ansible_host": "10.0.0.1", "ansible_become": true}, "b": {"ansible_user": "eve"}}},
 "all": {"children": ["ungrouped", "web"]}, "ungrouped": {"hosts": ["c"]}, "web": {"hosts": ["a", "b"]}, "old": ["b"]}
"""


def test_the_output_of_ansible_inventory_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "listed"
    path.write_text(LISTED)
    assert targets(f"@{path}:web") == ["10.0.0.1", "eve@b"]
    assert read_targets([str(path)]).members["10.0.0.1"].becomes_root
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(LISTED.encode())))
    assert sorted(targets("-")) == ["10.0.0.1", "c", "eve@b"]


WEB = ["deploy@web01.example.com", "deploy@web02.example.com", "deploy@web03.example.com", "10.0.0.9"]
DOUBLED_INI = "[g0]\nh\n" + "".join(
    f"[g{i}:children]\ng{i - 1}\na{i}\n[a{i}:children]\ng{i - 1}\n" for i in range(1, 40)
)  # 2**39 ways lead to h
DOUBLED_YAML = "x0: &x0 {hosts: {h: }}\n" + "\n".join(
    f"x{i}: &x{i} {{children: {{a{i}: *x{i - 1}, b{i}: *x{i - 1}}}}}" for i in range(1, 40)
)
DB = ["postgres@db-a", "postgres@db-b", "postgres@db-c"]


def test_the_targets_that_failed_are_a_group_of_a_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    states = {"node1": "done", "joe@node2": "lost", "fd00::3": "unreachable", "node4": "partial"}
    run = {"schema": 1, "exit_status": 23, "targets": {host: {"state": state} for host, state in states.items()}}
    (tmp_path / "run.json").write_text(json.dumps(run))
    path = f"@{tmp_path}/run.json"
    assert read_targets([f"{path}:failed"]).hosts == ("joe@node2", "fd00::3", "node4")
    assert read_targets([f"{path}:lost,node9"]).hosts == ("joe@node2", "node9")
    assert read_targets([path]).hosts == tuple(states)
    for key in ("is_fit", "is_equal"):  # of the doctor, and of mrsync verify
        checked = {"exit_status": 23, "targets": {"a": {key: True}, "b": {key: False, "reason": "x"}}}
        (tmp_path / "run.json").write_text(json.dumps(checked))
        assert read_targets([f"{path}:failed"]).hosts == ("b",)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(json.dumps(run).encode())))
    assert read_targets(["-"]).hosts == tuple(states)
    run["targets"] = {"a": {"state": "done"}}
    (tmp_path / "run.json").write_text(json.dumps(run))
    with pytest.raises(UsageError, match=r"no target in '.*run.json:failed'"):
        read_targets([f"{path}:failed"])


def test_ini_by_group_and_as_a_file(ini: Path) -> None:
    assert targets(f"@{ini}:web") == WEB
    assert targets(f"@{ini}:site") == WEB + DB
    assert targets(str(ini)) == targets(f"@{ini}") == targets(f"@{ini}:all") == ["mail.example.com", *WEB, *DB]
    assert targets(f"node1,@{ini}:db,node2") == ["node1", *DB, "node2"]


def test_yaml_by_group_and_as_a_file(yml: Path) -> None:
    web = ["ops@web1", "ops@web2", "deploy@10.0.0.9"]
    assert targets(f"@{yml}:web") == web
    assert targets(f"@{yml}:db") == ["postgres@db1"]
    assert set(targets(f"@{yml}:site")) == {*web, "postgres@db1"}
    assert set(targets(str(yml))) == {"ops@mail.example.com", *web, "postgres@db1"}


def test_an_inventory_in_the_working_directory_is_found(ini: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ini.parent)
    assert targets("@hosts.ini:db") == targets("@./hosts.ini:db") == DB


CHAIN = "".join(f"[g{at}:children]\ng{at + 1}\n" for at in range(3000))


@pytest.mark.parametrize(
    ("content", "name", "problem"),
    [
        ("[a:children]\nb\n[b:children]\na\n", "x.ini", "contains itself"),
        ("web1 ansible_port=22x\n", "x.ini", "ansible_port of web1 is '22x', which is not a port"),
        ("web1 ansible_port=65536\n", "x.ini", "ansible_port of web1 is '65536', which is not a port"),
        ("web1 ansible_port=" + "9" * 5000, "x.ini", "which is not a port"),
        (
            "a ansible_host=gw ansible_port=1\nb ansible_host=gw ansible_port=2\n",
            "x.ini",
            "gw is listed with ports 1 and 2",
        ),
        ("all: {hosts: {web1: {ansible_port: '{{ port }}'}}}", "x.yml", "which is not a port"),
        ("web1 'unclosed\n", "x.ini", "line 1: "),
        ("all: [1, 2", "x.yml", "cannot understand the inventory"),
        ("- a\n- b\n", "x.yml", "has no groups"),
        ("all: {hosts: 7}", "x.yml", "hosts is not a table"),
        ("all: {children: [{a: 1}]}", "x.yml", "children is not a table"),
        ("all: {hosts: {'" + "b[01:20]" * 30 + "': }}", "x.yml", "stands for more than 65536 hosts"),
        ("[a]\n" + "b[01:20]" * 30 + "\n", "x.ini", "stands for more than 65536 hosts"),
        ("[a]\n" + "b[01:20]" * 25 + "[41:20]\n", "x.ini", r"\[41:20\] is no range"),
        ("all: {hosts: {'db[aa:bb]': }}", "x.yml", r"\[aa:bb\] is no range"),
        ("[a]\nb[1:40000]\nc[1:40000]\n", "x.ini", "more than 65536 hosts, among them c"),
        ("a: &a {children: {b: *a}}", "x.yml", "recursion"),
        ("[" * 600, "x.yml", "recursion"),
        (DOUBLED_YAML, "x.yml", "contain one another too often"),
        (DOUBLED_INI, "x.ini", "contain one another too often"),
        (CHAIN, "x.ini", "contain one another too deeply"),
        ("a " * 100_000, "x.ini", "line 1 has more than 65536 characters"),
        ("web1 ansible_port=000022" + "9" * 5000, "x.ini", "which is not a port"),
        (f"all: {{hosts: {'9' * 5000}}}", "x.yml", "a value does not fit its form"),
        ("all: {hosts: {2001-99-99: }}", "x.yml", "a value does not fit its form"),
        ("all: !!bool x", "x.yml", "a value does not fit its form"),
        ("all: !!timestamp x", "x.yml", "a value does not fit its form"),
        ("all: {hosts: {'a b': }}", "x.yml", "no host can have the name 'a b'"),
        ("all: {hosts: {-oProxyCommand=x: }}", "x.yml", "no host can have the name"),
    ],
)
def test_nonsense_gives_one_sentence(tmp_path: Path, content: str, name: str, problem: str) -> None:
    path = tmp_path / name
    path.write_text(content)
    for text in (str(path), f"@{path}:all"):
        with pytest.raises(UsageError, match=problem) as error:
            targets(text)
        assert "\n" not in str(error.value)


def test_lists_that_multiply_each_other_are_not_spelled_out(tmp_path: Path) -> None:
    """As variables, which would take all memory as a text."""
    path = tmp_path / "x.yml"
    lists = "".join(f"  - &a{at} [{', '.join([f'*a{at - 1}'] * 10)}]\n" for at in range(1, 12))
    path.write_text(
        f"x: {{vars: {{}}}}\nall:\n  hosts: {{web1: {{more: &a0 [x]}}}}\n  more:\n{lists}  vars: {{user: *a11}}\n"
    )
    assert targets(str(path)) == ["web1"]


def test_ranges_side_by_side_are_expanded(tmp_path: Path) -> None:
    path = tmp_path / "x.ini"
    path.write_text("[a]\nc[1:2][a:b]\n")
    assert targets(f"@{path}:a") == ["c1a", "c1b", "c2a", "c2b"]


def test_an_unknown_group_is_reported_with_the_known_ones(ini: Path) -> None:
    with pytest.raises(UsageError, match=r"there is no group nope in .*hosts\.ini; there are all, db, site, web"):
        targets(f"@{ini}:nope")


def test_files_of_hosts_may_have_blanks_and_variables(tmp_path: Path) -> None:
    path = tmp_path / "hosts"
    path.write_bytes(b"node1   node2\tnode3 \r\n  \r\nnode4 slots=8\nnode[5-6], node7\n[fd00::7]\n")
    assert set(targets(str(path))) == {*(f"node{i}" for i in range(1, 8)), "fd00::7"}


def test_targets_from_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a\nb c # both\n")))
    assert targets("-") == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("web-[a,b]", "web-a web-b"),
        ("web-[a-c],db", "web-a web-b web-c db"),
        ("r[a,b]n[1-2]", "ran1 ran2 rbn1 rbn2"),
        ("x[blue,green]", "xblue xgreen"),
        ("root@web-[a,b].example.com", "root@web-a.example.com root@web-b.example.com"),
    ],
)
def test_letters_in_brackets(text: str, hosts: str) -> None:
    assert targets(text) == hosts.split()


def test_letters_and_set_operators_do_not_mix() -> None:
    with pytest.raises(UsageError, match="cannot be combined"):
        targets("n[1-3]!web-[a,b]")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (
            "127.0.0.1\tlocalhost\n::1 localhost ip6-localhost # loop\n\n10.0.0.7 node7 node7.lan\n",
            "addresses with their",
        ),
        ("node1 ssh-ed25519 AAAAC3Nz\n|1|abc=|def= ecdsa-sha2-nistp256 AAAAE2V\n", "ssh's host keys"),
        ("Host node*\n  User deploy\n  IdentityFile ~/.ssh/id\n", "settings of ssh"),
    ],
)
def test_well_known_files_are_no_lists_of_targets(tmp_path: Path, text: str, what: str) -> None:
    (tmp_path / "file").write_text(text)
    with pytest.raises(UsageError, match=f"file has {what}.*: a file of targets has one name in each line"):
        read_targets([str(tmp_path / "file")])


@pytest.mark.parametrize("text", ["10.0.0.7 10.0.0.8\n", "10.0.0.7 ansible_user=eve\n", "node1 node2\nhost3 host4\n"])
def test_lists_that_look_a_bit_like_them_are_read(tmp_path: Path, text: str) -> None:
    (tmp_path / "file").write_text(text)
    assert read_targets([str(tmp_path / "file")]).hosts
