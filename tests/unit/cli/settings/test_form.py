"""Which form a line has: rsync's, or that of 4.0.1's letters."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mrsync.cli.output.line_format import TRANSFER
from mrsync.cli.settings.form import form_of
from mrsync.cli.settings.options import parse_mrsync
from mrsync.errors import MrsyncError, SelectionError, UsageError
from mrsync.tree.source.selection import Operand


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("src/sub", "other"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "file").touch()
    (tmp_path / "config").mkdir()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path


@pytest.mark.parametrize(
    ("line", "is_rsyncs"),
    [
        ("-m a -s src -t /x", False),
        ("-m @racks:a -s src", False),
        ("-s src -m a -T 4 -L -q", False),
        ("src/ a:/x", True),
        ("-aHAXvzPnicuxq src/ a:/x", True),
        ("-m src/ a:/x", True),  # rsync's -m takes no value
        ("-s src/ a:/x", True),
        ("src/ -m a:/x", True),
        ("-e ssh -f -_x src/ a:/x", True),
        ("-r src a:/x", True),
        ("-r rsh -I lo -L src a:/x", False),  # neither rsh nor lo is here
        ("-r rsh -I lo gone a:/x", False),
        ("-I src/ gone a:/x", True),  # src is no interface, and one of two SOURCEs is there
        ("src a:/x -v 1", False),
        ("-a -r rsh src a:/x", True),  # 4.0.1 had no -a: then rsh is a SOURCE, which is missing
    ],
)
def test_the_form_of_a_line(line: str, is_rsyncs: bool) -> None:
    form = form_of(line.split())
    assert form.parser.parse_args(form.words).is_rsync_form is is_rsyncs


@pytest.mark.parametrize(
    ("there", "targets", "dest"),
    [
        ("a:new", ("a",), "new"),
        ("root@a,eve@b:~/x", ("root@a", "eve@b"), "~/x"),
        ("root@[fe80::1%eth0]:x", ("root@fe80::1%eth0",), "x"),
        ("[fe80::1],b:/x:y", ("fe80::1", "b"), "/x:y"),
        ("fe80::1:/x", ("fe80::1",), "/x"),
        ("node[1-2]:/x,y/", ("node1", "node2"), "/x,y/"),
    ],
)
def test_targets_stand_before_the_colon(there: str, targets: tuple[str, ...], dest: str) -> None:
    settings = parse_mrsync(["src/", there])[0]
    assert (settings.targets, settings.dest) == (targets, dest.encode())


def test_short_options_mean_the_same_as_for_rsync() -> None:
    settings, output = parse_mrsync(["-aHAXvvPnicuxqm", "-ersh", "-b", "src/", "a:/x"])
    policy, selection = settings.policy, settings.selection
    assert (policy.hard_links, policy.acls, policy.xattrs, policy.devices, policy.specials) == (True,) * 5
    assert (policy.itemizes, policy.checksum, policy.update, policy.prunes_empty) == (True,) * 4
    assert (policy.backup, policy.suffix, policy.deletes, policy.modify_window) == (True, "~", False, 0)
    assert (selection.one_file_system, settings.is_dry_run, settings.verbosity) == (1, True, 1)
    assert (output.is_quiet, settings.remote_shell, settings.quits_on_bad) == (True, "rsh", False)


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        ("-a", (True, True)),
        ("-rltD", (True, True)),
        ("-a --no-D", (False, False)),
        ("-a --no-devices", (False, True)),
        ("-aD --no-specials", (True, False)),
        ("--no-D -a", (True, True)),
        ("-a --no-D --devices", (True, False)),
        ("-rlt", (False, False)),
    ],
)
def test_the_last_word_on_devices_counts(here: Path, words: str, kept: tuple[bool, bool]) -> None:
    policy = parse_mrsync([*words.split(), "src/", "a:/x"])[0].policy
    assert (policy.devices, policy.specials) == kept


def test_the_remote_shell_may_be_in_rsyncs_variable(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RSYNC_RSH", "ssh -p 2222")
    assert parse_mrsync(["-a", "src/", "a:/x"])[0].remote_shell == "ssh -p 2222"
    assert parse_mrsync(["-a", "-e", "rsh", "src/", "a:/x"])[0].remote_shell == "rsh"
    assert parse_mrsync(["-m", "a", "-s", "src"])[0].remote_shell == "ssh"


def test_deletions_and_hard_links_must_be_asked_for() -> None:
    policy = parse_mrsync(["src/", "a:/x"])[0].policy
    assert (policy.deletes, policy.hard_links, policy.devices) == (False, False, False)
    for option in ("--delete", "--del", "--delete-after", "--delete-before", "--delete-during", "--delete-delay"):
        assert parse_mrsync([option, "src/", "a:/x"])[0].policy.deletes
    assert not parse_mrsync(["-r", "rsh", "-I", "lo", "src", "a:/x"])[0].policy.deletes  # 4.0.1's letters
    assert parse_mrsync(["-m", "a", "-s", "src"])[0].policy.deletes


@pytest.mark.parametrize(
    ("line", "lines", "verbosity"),
    [
        ("-a", None, 0),
        ("-av", TRANSFER, 0),
        ("-avn", TRANSFER, 0),
        ("-avv", TRANSFER, 1),
        ("-avvvv", TRANSFER, 2),
        ("-avi", None, 0),
        ("-av --out-format=%f", "%f", 0),
        ("-av --info=name0", None, 0),
        ("-av --info=stats2", TRANSFER, 0),
        ("-v 1 -m a", None, 1),
    ],
)
def test_rsyncs_v_lists_names_and_that_of_401_tells_of_hosts(
    here: Path, line: str, lines: str | None, verbosity: int
) -> None:
    operands = ["-s", "src"] if "-m" in line else ["src/", "a:/x"]
    settings, output = parse_mrsync([*line.split(), *operands])
    assert (output.line_format, settings.verbosity) == (lines, verbosity)


def test_settings_files_count_in_both_forms(here: Path) -> None:
    (here / "config" / "mrsync").mkdir()
    (here / "config" / "mrsync" / "config.toml").write_text('verbose = 1\nprogress = "none"\nhard-links = true\n')
    settings, output = parse_mrsync(["-v", "src/", "a:/x"])
    assert (settings.verbosity, output.progress, settings.policy.hard_links) == (1, "none", True)
    assert not settings.policy.deletes


@pytest.mark.parametrize(
    ("line", "operands"),
    [
        ("src/ a:/x", None),
        ("src/. a:/x", None),
        ("src a:/x", [("", ("src",))]),
        ("src/sub a:/x", [("src", ("sub",))]),
        ("file src other a:/x", [("", ("file", "src", "other"))]),
        ("file src/ other a:/x", [("", ("file",)), ("src/", None), ("", ("other",))]),
    ],
)
def test_a_trailing_slash_means_the_same_as_for_rsync(
    here: Path, line: str, operands: list[tuple[str, tuple[str, ...] | None]] | None
) -> None:
    found = parse_mrsync(line.split())[0].selection.operands
    root = os.fsencode(here)
    expected = [
        Operand(
            os.path.join(root, os.fsencode(place)) if place else root,
            None if names is None else tuple(map(os.fsencode, names)),
        )
        for place, names in operands or ()
    ]
    assert [operand._replace(root=os.path.normpath(operand.root)) for operand in found] == [
        operand._replace(root=os.path.normpath(operand.root)) for operand in expected
    ]


def test_more_directories_than_a_run_can_have_are_named_below_one(here: Path) -> None:
    for number in range(65):
        (here / f"src/{number}").mkdir()
        (here / f"src/{number}/file").touch()
    with pytest.raises(UsageError, match=r"in 65 directories, and a run can have 64: .* by --relative"):
        parse_mrsync([*(f"src/{number}/file" for number in range(65)), "a:/x"])
    found = parse_mrsync(["-R", *(f"src/./{number}/file" for number in range(65)), "a:/x"])[0]
    assert (found.source, len(found.selection.files or ())) == (os.fsencode(here / "src"), 65)


@pytest.mark.parametrize(
    ("line", "is_name"),
    [
        ("file a:/x", True),
        ("file a:/x/", False),
        ("src a:/x", False),
        ("file src a:/x", False),
        ("-R file a:/x", True),
        ("-R /etc/passwd a:/x", False),
    ],
)
def test_a_single_file_may_get_the_name_of_dest(line: str, is_name: bool) -> None:
    assert parse_mrsync(line.split())[0].policy.is_one_file is is_name


@pytest.mark.parametrize(
    ("line", "error", "sentence"),
    [
        ("missing a:/x", SelectionError, "the source missing does not exist"),
        ("-aR src /etc/./ssl/certs a:/x", UsageError, "have one name behind /./"),
        ("--files-from=file src other a:/x", UsageError, "give only one"),
        ("-m a -s src --relative", UsageError, "is for mrsync SOURCE"),
        ("-a --no-times src a:/x", UsageError, "--no-times is not supported: mrsync always preserves times"),
        ("-a --append src a:/x", UsageError, "use --delta"),
        ("-a --frob src a:/x", UsageError, "--frob"),
        ("-a src other", UsageError, "give SOURCE TARGETS:DEST"),
    ],
)
def test_impossible_lines_are_refused(line: str, error: type[MrsyncError], sentence: str) -> None:
    with pytest.raises(error, match=sentence):
        parse_mrsync(line.split())


@pytest.mark.parametrize(
    ("path", "is_sudo", "python"),
    [
        ("rsync", False, "python3"),
        ("/usr/local/bin/rsync", False, "python3"),
        ("sudo rsync", True, "python3"),
        ("sudo -n /usr/bin/rsync", True, "python3"),
        ("sudo nice -n 19 rsync", True, "nice -n 19 python3"),
        ("ionice -c3 rsync", False, "ionice -c3 python3"),
    ],
)
def test_the_program_for_rsync_starts_the_catcher(path: str, is_sudo: bool, python: str) -> None:
    remote = parse_mrsync([f"--rsync-path={path}", "src/", "a:/x"])[0].remote
    assert (remote.is_sudo, remote.python, remote.rsync_on("a")) == (is_sudo, python, path)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("mkdir -p /x && rsync", "--mkpath"),
        ("sudo -u web rsync", "only sudo, nice and ionice"),
        ("sudo -E rsync", "no option but -n"),
        ("doas rsync", "only sudo, nice and ionice"),
        ("nice sudo rsync", "only sudo, nice and ionice"),
        ("rrsync", "does not end with rsync"),
        ("", "does not end with rsync"),
    ],
)
def test_other_ways_to_start_rsync_are_refused(path: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        parse_mrsync([f"--rsync-path={path}", "src/", "a:/x"])


def test_rsync_compares_as_it_is_started() -> None:
    remote = parse_mrsync(["--sudo", "src/", "a:/x"])[0].remote
    assert remote.rsync_on("a") == "sudo -n rsync"
    remote = parse_mrsync(["--sudo=b", "src/", "a,b:/x"])[0].remote
    assert (remote.rsync_on("a"), remote.rsync_on("b")) == (None, "sudo -n rsync")


@pytest.mark.parametrize(
    ("words", "only"),
    [
        ("--sudo src/ a,b,c@d:/x", None),
        ("--sudo=a,d src/ a,b,c@d:/x", {"a", "c@d"}),
        ("--sudo=c@d --exclude-target=a src/ a,b,c@d:/x", {"c@d"}),
        ("--sudo=a,b --exclude-target=a src/ a,b,c@d:/x", {"b"}),
        ("--sudo=web[1-2] src/ db,web[1-3]:/x", {"web1", "web2"}),
        ("--sudo=a,b src/ a,b:/x", None),
    ],
)
def test_sudo_applies_to_all_or_to_the_named_targets(words: str, only: set[str] | None) -> None:
    settings = parse_mrsync(words.split())[0]
    assert (settings.remote.is_sudo, settings.remote.sudo_only) == (True, only)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("--sudo=b", "--sudo=b: b is not among the targets"),
        ("--sudo=x@a", "x@a is not among the targets"),
        ("--sudo=", "it names no target"),
        ("--sudo=a --topology {topology}", "without names"),
        ("--sudo=a --rsync-path=sudo\trsync", "leave out its sudo"),
    ],
)
def test_sudo_where_it_cannot_be_is_refused(words: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "topology").touch()
    words = words.format(topology=tmp_path / "topology")
    with pytest.raises(UsageError, match=reason):
        parse_mrsync([*words.split(" "), "src/", "a,c:/x"])


INVENTORY = """\
[web]
a ansible_port=2222 ansible_become=yes
b ansible_host=bb ansible_user=eve ansible_become=True ansible_become_user=root ansible_become_method=sudo
[db]
c ansible_become=false
d ansible_become=yes ansible_become_user=postgres
e ansible_become="{{ maybe }}"
f ansible_become=1 ansible_become_method=doas
"""


@pytest.fixture
def inventory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "topology").touch()
    path = tmp_path / "inv"
    path.write_text(INVENTORY)
    return path


@pytest.mark.parametrize(
    ("words", "is_sudo", "only"),
    [
        ("@inv:web", True, None),
        ("@inv:web,x", True, {"a", "eve@bb"}),
        ("@inv:web,x --sudo", True, None),
        ("@inv:web,x --sudo=x", True, {"x"}),
        ("@inv:web,x --no-sudo", False, None),
        ("@inv:web,x -r local", False, None),
        ("@inv:web --exclude-target eve@bb", True, None),
        ("inv --no-sudo", False, None),
        ("inv --sudo=c", True, {"c"}),
        ("c,x", False, None),
    ],
)
def test_an_inventory_says_where_sudo_is(inventory: Path, words: str, is_sudo: bool, only: set[str] | None) -> None:
    targets, *options = words.split()
    remote = parse_mrsync(["-m", targets, *options, "-s", "/etc", "-t", "/x/{host}"])[0].remote
    assert (remote.is_sudo, remote.sudo_only) == (is_sudo, only)
    assert dict(remote.ports) == ({"a": 2222} if "inv" in targets and "local" not in options else {})


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("inv", "inv: ansible_become_user of d is 'postgres'; only sudo to root can be had; say with --sudo"),
        ("@inv:db --exclude-target d", "ansible_become of e is '{{ maybe }}', neither yes nor no; say with"),
        ("@inv:db --exclude-target d,e", "ansible_become_method of f is 'doas'"),
        ("@inv:web --topology topology", "a has port 2222 .* put it into ssh_config"),
        ("@inv:web,x --exclude-target a --topology topology", "give --sudo or --no-sudo"),
    ],
)
def test_impossible_sudo_in_an_inventory_is_refused(inventory: Path, words: str, reason: str) -> None:
    targets, *options = words.split()
    with pytest.raises(UsageError, match=reason):
        parse_mrsync(["-m", targets, *options, "-s", "/", "-t", "/x"])


@pytest.mark.parametrize(
    ("line", "compression", "level"),
    [
        ("", "none", 1),
        ("-z", "auto", 1),
        ("--zl=5 -z", "auto", 5),
        ("--zl=0", "none", 1),
        ("-z --zl=0", "none", 1),
        ("--zc=zstd", "zstd", 1),
        ("--zc=zstd --zl=22", "zstd", 22),
        ("--zc=zlibx", "zlib", 1),
        ("-z --compress-choice=none", "none", 1),
        ("-z --zc=zstd --no-z", "none", 1),
        ("--no-compress -z", "auto", 1),
        ("--new-compress", "zlib", 1),
    ],
)
def test_each_option_of_compression_asks_for_it(line: str, compression: str, level: int) -> None:
    settings = parse_mrsync([*line.split(), "src/", "a:/x"])[0]
    assert (settings.compression, settings.compress_level) == (compression, level)


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ("-i", "links perms owner group"),
        ("-a", "links perms owner group"),
        ("-r", ""),
        ("-rlt", "links"),
        ("-t --no-p", ""),
        ("-lptgo", "links perms owner group"),
        ("--no-owner", "links perms group"),
        ("-a --no-o --no-g", "links perms"),
        ("--no-o -a", "links perms owner group"),
        ("-rA", "perms"),
        ("-rt --chown=a:b", "owner group"),
        ("--recursive --group", "group"),
    ],
)
def test_a_line_of_rsync_keeps_what_it_says(line: str, kept: str) -> None:
    settings = parse_mrsync([*line.split(), "src", "a:/x"])[0]
    policy = settings.policy
    found = {
        "links": settings.selection.takes_links,
        "perms": policy.modes,
        "owner": policy.owners,
        "group": policy.groups,
    }
    assert [name for name, is_kept in found.items() if is_kept] == kept.split()
