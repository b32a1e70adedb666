from __future__ import annotations

import os
from pathlib import Path

import pytest

from mrsync.cli.settings.options import parse_mrsync, parse_multicaster, parse_multicatcher
from mrsync.cli.settings.output_options import Output
from mrsync.errors import MrsyncError, SelectionError, UsageError
from mrsync.run.settings import CatchSettings, Network


def test_the_shortest_command_line(source: str) -> None:
    settings, output = parse_mrsync(["-m", "a,b", "-s", source])
    assert settings.targets == ("a", "b")
    assert settings.source == settings.dest == os.fsencode(source)
    assert settings.remote_shell == "ssh"
    assert settings.network == Network()
    assert len(settings.secret) == 32
    assert settings.secret != parse_mrsync(["-m", "a", "-s", source])[0].secret
    assert (settings.policy.deletes, settings.is_dry_run, settings.quits_on_bad, settings.is_encrypted) == (
        True,
        False,
        False,
        None,
    )
    assert (settings.rate_bytes_s, settings.ack_wait_s, settings.verbosity) == (None, 60.0, 0)
    assert output == Output()


def test_all_options_together(source: str, tmp_path: Path) -> None:
    report = str(tmp_path / "r.json")
    settings, output = parse_mrsync(
        f"-m a -s {source} -t /to/{{host}} -r rsh -v 2 -w 5 -q -A 239.9.9.9 -P 7000 -T 4 -L -I eth1 --no-delete -n"
        f" --rate 10M --progress json --stats --report {report} --encrypt".split()
    )
    assert settings.dest == b"/to/{host}"
    assert settings.remote_shell == "rsh"
    assert settings.network == Network("239.9.9.9", 7000, 4, has_loop=True, interface="eth1")
    assert (settings.policy.deletes, settings.is_dry_run, settings.quits_on_bad, settings.is_encrypted) == (
        False,
        True,
        True,
        True,
    )
    assert (settings.rate_bytes_s, settings.ack_wait_s, settings.verbosity) == (10 * 1024**2, 5.0, 2)
    assert output == Output("json", has_stats=True, report=report, verbosity=2)


@pytest.mark.parametrize(
    ("there", "targets", "dest"),
    [
        ("a:/to", ("a",), b"/to"),
        ("a,b:/to:here", ("a", "b"), b"/to:here"),
        ("n[1-2]:to", ("n1", "n2"), b"to"),
        ("fe80::1:/to", ("fe80::1",), b"/to"),
        ("[fd00::1]:to", ("fd00::1",), b"to"),
        ("a,[fe80::1%eth0]:/to", ("a", "fe80::1%eth0"), b"/to"),
        ("root@a:/to", ("root@a",), b"/to"),
    ],
)
def test_rsyncs_form_means_the_same(source: str, there: str, targets: tuple[str, ...], dest: bytes) -> None:
    settings, _ = parse_mrsync([source, there, "-v", "1"])
    assert (settings.targets, settings.dest, settings.source) == (targets, dest, os.fsencode(source))


@pytest.mark.parametrize(
    ("dest", "words"),
    [("/t/{hos}", ("{hos}",)), ("/{hostname}/{TARGET}", ("{hostname}", "{TARGET}")), ("/{host}/{a,b}/{x}", ())],
)
def test_a_misspelled_host_in_dest_is_part_of_the_name_and_warned_of(
    source: str, dest: str, words: tuple[str, ...]
) -> None:
    settings, output = parse_mrsync(["-m", "a", "-s", source, "-t", dest])
    assert tuple(remark.text.split()[1] for remark in output.remarks) == words
    assert settings.dest_for("a") == os.fsencode(dest.replace("{host}", "a"))


@pytest.mark.parametrize(
    ("words", "count"),
    [
        ("-a {source} a:/t/{name}", 1),
        ("-a {source} a:/t/{name}/", 1),
        ("-a {source}/ a:/t/{name}", 0),
        ("-a {source} a:/t", 0),
        ("-aR {source} a:/t/{name}", 0),
        ("-m a -s {source} -t /t/{name}", 0),
        ("-a {source}/file a:/t/file", 0),
    ],
)
def test_a_forgotten_slash_is_warned_of(source: str, words: str, count: int) -> None:
    """The tree would go into a directory of its own name."""
    Path(source, "file").touch()
    _, output = parse_mrsync(words.format(source=source, name=Path(source).name).split())
    assert len(output.remarks) == count


def test_options_of_multicaster_and_multicatcher(source: str, key: str) -> None:
    settings, _ = parse_multicaster(["-m", "a,b", "-s", source, "--key-file", key, "--no-encrypt"])
    assert (settings.remote_shell, settings.dest, settings.is_encrypted) == (None, b"", False)
    catch = parse_multicatcher(["-t", "/to", "-i", "1", "--key-file", key, "-A", "239.9.9.9", "-P", "7000", "-I", "lo"])
    network = Network("239.9.9.9", 7000, interface="lo")
    assert catch == CatchSettings(1, os.uname().nodename, b"/to", settings.secret, network, 0, has_master=False)


def test_values_may_begin_with_a_dash(tmp_path: Path, source: str, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever option takes a value takes the next word for it, as rsync's do."""
    monkeypatch.chdir(tmp_path)
    os.mkdir("-s")
    words = "-m a -s -s -t -x --chmod -w --backup --suffix -old --max-delete -1 --bwlimit 2 -i -r -v --log-file --f"
    settings, output = parse_mrsync(words.split())
    assert (settings.source, settings.dest, settings.remote_shell) == (os.path.realpath(b"-s"), b"-x", "-v")
    assert (settings.policy.suffix, settings.policy.max_delete, settings.policy.itemizes) == ("-old", 0, True)
    assert settings.selection.mode_changes
    assert output.log_file == "--f"
    assert parse_mrsync(["-Hcim", "a", "-Os", "-s"])[0].policy.checksum
    caught = parse_multicatcher(["-t", "-d", "-i", "0", "-u", "-o", "--key-file", key])
    assert (caught.dest, caught.backup_suffix) == (b"-d", "-o")


def test_words_behind_two_dashes_are_no_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkdir("-n")
    settings, _ = parse_mrsync(["--backup", "--", "-n", "a:-t"])
    assert (settings.source, settings.dest, settings.is_dry_run) == (os.path.realpath(b"-n"), b"-t", False)
    with pytest.raises(UsageError, match="-- is not a value"):
        parse_mrsync(["--backup", "--suffix", "--", "-n", "a:-t"])


def test_a_list_makes_paths_relative_in_any_case(tmp_path: Path) -> None:
    (tmp_path / "list").write_text("./x\n././y/z\n")
    settings, _ = parse_mrsync(["-aR", f"--files-from={tmp_path / 'list'}", str(tmp_path), "a:/t"])
    assert settings.selection.files == (b"./x", b"././y/z")


@pytest.mark.parametrize("path", ["y/./z", ".../z/./f", "..././f", ".a/./f", "./y/./f"])
def test_a_listed_path_begins_in_the_source(tmp_path: Path, path: str) -> None:
    (tmp_path / "list").write_text(f"x\n{path}\n")
    with pytest.raises(UsageError, match=f"what is before /./ in {path} belongs in SOURCE"):
        parse_mrsync(["-a", f"--files-from={tmp_path / 'list'}", str(tmp_path), "a:/t"])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("", "give SOURCE TARGETS:DEST"),
        ("-s {source}", "TARGETS is missing"),
        ("{source}", "give SOURCE TARGETS:DEST"),
        ("{source} a", "a has no colon: give SOURCE TARGETS:DEST, such as a:/srv/data, or"),
        ("-m a b c -s {source}", "unexpected: b c; if these are targets, list them all in one word, and quote a range"),
        ("-m a -s {source} /x", "unexpected: /x; with -m, SOURCE is given by -s"),
        ("{source} a:/b c", "SOURCE a:/b is on another host.*comes last, and c has no colon"),
        ("-a {source} a:/b --no-r", "--no-r is not supported"),
        ("{source} a:/b -t /c", "cannot be combined with -m"),
        ("-s {source} -m a --encrypt --no-encrypt", "not allowed with"),
        ("-s {source} -m a -A 10.0.0.1", "not a multicast address"),
        ("-s {source} -m a -P 70000", "not a port"),
        ("-s {source} -m a -w -1", "above 0"),
        ("-s {source} -m a --rate fast", "not a rate"),
        ("-s {source} -m a -v", "-v/--verbose lacks its value, N: which messages to show"),
        ("-v -s {source} -m a", "-v lacks its value, N: which messages to show"),
        ("-m a --progress -s {source}", r"--progress lacks its value, auto\|plain\|none\|json"),
        ("-m a -w -s {source}", "-w lacks its value, S"),
        ("-s {source} -m a --verb 1", "there is no option --verb; did you mean --verbose"),
        ("-s {source} -m a --progress loud", "invalid choice"),
        ("-s {source} -m a --report x.xml", r"only \.json and \.html"),
        ("-s {source} -m n[1-5000]", "5000 targets, more than the 4096"),
        ("-s {source} -m a -b /x --remote-python python3.9", "not allowed with"),
        ("-s {source} -m a --topology /nowhere", "no such file"),
        ("-s {source} -m a -r local -t /x -b /opt", "are for other hosts"),
        ("-s {source} -m a -t /x --remote-python 'a b'", "more than a plain path|list them all in one word"),
        ("-s {source} -m a --exclude-target a", "no target"),
        ("-s {source} -m a,b -r local -t /x", "need {{host}} in DEST"),
        ("-s {source} -m a -r local", "must not contain one another"),
        ("-s {source} -m a -x", "-x needs --rate"),
        ("{source} a::mod", "not by an rsync daemon"),
        ("{source} a::/mod/x", "not by an rsync daemon"),
        ("{source} u@a::mod", "not by an rsync daemon"),
        ("{source} b,a::mod", "not by an rsync daemon"),
        ("{source} [fd00::7]::mod", "not by an rsync daemon|no host can have"),
        ("{source} rsync://a/mod", "not by an rsync daemon"),
        ("{source} RSYNC://u@a:873/mod", "not by an rsync daemon"),
        ("-R {source}/../source a:/x", "--relative keeps has a .., name the directory"),
        ("-R {source}/./.. a:/x", "--relative keeps has a .., name the directory"),
        ("-R {source}/./. {source}/../source/./../b a:/x", "--relative keeps has a .."),
        ("{source} ssh://a/x", "not by an rsync daemon"),
        ("--delete {source} a:", "is a home directory"),
        ("--delete {source} a:~", "is a home directory"),
        ("--delete {source} a:~/", "is a home directory"),
        ("--delete {source} a:~joe", "is a home directory"),
        ("--delete {source} a:~joe/x/..", "is a home directory"),
        ("--delete {source} a:.", "is a home directory"),
        ("--delete-excluded {source} a:.", "is a home directory"),
        ("--delete {source} a:..", "is above a home directory"),
        ("-s {source} -m a -t a:/x", r"DEST a:/x names a host, .* write \./a:/x"),
        ("-s {source} -m a -t a:x", "DEST a:x names a host"),
        ("-s {source} -m a -r local -t u@a:x", "DEST u@a:x names a host"),
        ("-s {source} -m a -t ~/x/../..", "is above a home directory"),
        ("-s {source} -m a -t x/../../y", "is above a home directory"),
        ("-s {source} -m a -t ~", "is a home directory"),
        ("-s {source} -m a: -t /x", "no host can have"),
        ("-s {source} -m a:b -t /x", "no host can have"),
        ("-s {source} -m [fe80::1]:22 -t /x", r"fe80::1\]:22'; ports belong to the remote shell"),
        ("-s {source} -m a:2222 -t /x", "the name 'a:2222'; ports belong to the remote shell: --rsh 'ssh -p 2222', or"),
        ("-s {source} -m root@ -t /x", "no host can have"),
        ("-s {source} -m root@-oProxyCommand=x -t /x", "no host can have"),
        ("-s {source} -m a -r local -t {source}/sub", "must not contain one another"),
        ("-s {source} -m a -r local -t {source}/..", "must not contain one another"),
    ],
)
def test_contradictions_get_a_sentence(source: str, arguments: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence.format()):
        parse_mrsync(arguments.format(source=source).split())


@pytest.mark.parametrize(
    ("arguments", "dest"),
    [
        ("{source} a:", b"."),
        ("{source} a:~", b"~"),
        ("{source} a:..", b".."),
        ("-m a -s {source} -t ~joe --no-delete", b"~joe"),
    ],
)
def test_a_home_directory_is_a_dest_where_nothing_is_deleted(source: str, arguments: str, dest: bytes) -> None:
    settings, output = parse_mrsync(arguments.format(source=source).split())
    assert (settings.dest, settings.policy.deletes, output.remarks) == (dest, False, ())


@pytest.mark.parametrize("mode", [0o775, 0o757])
@pytest.mark.parametrize(
    "arguments", ["{source}/ a:", "{source} {source}/ a:~", "-m a -s {source} -t ~joe --no-delete"]
)
def test_a_home_directory_takes_no_mode_that_locks_its_user_out(source: str, arguments: str, mode: int) -> None:
    os.chmod(source, mode)
    with pytest.raises(
        UsageError, match=f"would become like {source}/?, which can be written by others than its owner"
    ):
        parse_mrsync(arguments.format(source=source).split())
    for harmless in (f"{source} a:", f"{source}/ a:x", f"{source}/ a:/home/joe", f"-R {source}/. a:"):
        parse_mrsync(harmless.split())


def test_the_mode_of_a_home_directory_is_checked_after_chmod(source: str) -> None:
    os.chmod(source, 0o775)
    for change in ("D755", "go-w"):
        assert parse_mrsync([f"--chmod={change}", f"{source}/", "a:"])[0].dest == b"."
    with pytest.raises(UsageError, match="can be written by others"):
        parse_mrsync(["--chmod=F644", f"{source}/", "a:"])
    os.chmod(source, 0o755)
    with pytest.raises(UsageError, match=r"can be written by others.* give --chmod or --chown"):
        parse_mrsync(["--chmod=g+w", f"{source}/", "a:"])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_home_directory_takes_no_owner_that_locks_its_user_out(source: str) -> None:
    os.chown(source, 12345, -1)
    with pytest.raises(UsageError, match="which has another owner"):
        parse_mrsync(["-a", f"{source}/", "a:"])
    assert parse_mrsync(["-a", "--chown=root", f"{source}/", "a:"])[0].dest == b"."


@pytest.mark.parametrize(
    ("arguments", "warning"),
    [
        ("-m a -s {source} -t x/y", "DEST x/y is below the home directory there; write ~/x/y"),
        ("-m a -s {source} -t ./x", "DEST ./x is below the home directory there"),
        (
            "-m a -s {source} -t $HOME/x",
            "$HOME in DEST is part of a name, because no shell expands it; the home directory",
        ),
        ("{source} a:${{DATA}}/x", "${{DATA}} in DEST is part of a name"),
        ("-m a -s {source} -t ~/x", ""),
        ("-m a -s {source} -t /x$/$1", ""),
        ("-m a -s {source} -t x/y -r local", ""),
        ("-m a -s {source}", ""),
        ("{source} a:x/y", ""),
    ],
)
def test_a_dest_that_may_be_elsewhere_is_told(source: str, arguments: str, warning: str) -> None:
    told = [notice.text for notice in parse_mrsync(arguments.format(source=source).split())[1].remarks]
    assert [text.startswith(f"warning: {warning.format()}") for text in told] == ([True] if warning else [])


@pytest.mark.parametrize(
    ("words", "root"),
    [("-m a -s l/..", "far"), ("l/../ a:/x", "far"), ("l/.. l/../goal/ a:/x", "far"), ("-R l/.././goal a:/x", "far")],
)
def test_dots_behind_a_link_name_the_tree_that_the_kernel_opens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str, root: str
) -> None:
    (tmp_path / "far/goal").mkdir(parents=True)
    (tmp_path / "here").mkdir()
    (tmp_path / "here/l").symlink_to("../far/goal")
    monkeypatch.chdir(tmp_path / "here")
    assert parse_mrsync(words.split())[0].source == os.fsencode(tmp_path / root)
    with pytest.raises(SelectionError, match=r"missing/\.\. does not exist"):
        parse_mrsync(["-m", "a", "-s", "missing/.."])


@pytest.mark.parametrize(("kind", "trouble"), [("missing", "does not exist"), ("file", "is not a directory")])
def test_a_source_that_is_not_a_directory(tmp_path: Path, kind: str, trouble: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SelectionError, match=trouble):
        parse_mrsync(["-m", "a", "-s", str(tmp_path / kind)])


def test_a_source_with_a_misspelled_name_is_guessed(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with pytest.raises(SelectionError, match=f"does not exist; did you mean {tmp_path}/data"):
        parse_mrsync(["-m", "a", "-s", str(tmp_path / "dta")])


def test_every_error_has_the_status_of_the_contract() -> None:
    statuses = {error.__name__: error.exit_status for error in MrsyncError.__subclasses__()}
    assert statuses == {
        "UsageError": 1,
        "LimitError": 1,
        "RuleError": 1,
        "ProtocolVersionError": 2,
        "SelectionError": 3,
        "StartError": 5,
        "SocketError": 10,
        "FileError": 11,
        "ProtocolDataError": 12,
        "Interrupted": 20,
    }


@pytest.mark.parametrize("parse", [parse_mrsync, parse_multicaster, parse_multicatcher])
@pytest.mark.parametrize("flag", ["--help", "--version"])
def test_help_and_version_end_well(parse: object, flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert callable(parse)
    with pytest.raises(SystemExit) as exit_info:
        parse([flag])
    assert exit_info.value.code == 0
    assert capsys.readouterr().out


@pytest.mark.parametrize(
    ("form", "targets", "dest"),
    [
        ("a:~/x", "a", b"~/x"),
        ("a:~joe/x", "a", b"~joe/x"),
        ("a:./~", "a", b"./~"),
        ("a:rel", "a", b"rel"),
        ("[fd00::7]:/x", "fd00::7", b"/x"),
        ("fd00::7:/x", "fd00::7", b"/x"),
        ("fd00:::/x", "fd00::", b"/x"),
        ("u@a,u@b:/x:/y", "u@a u@b", b"/x:/y"),
    ],
)
def test_destinations_in_rsyncs_form(source: str, form: str, targets: str, dest: bytes) -> None:
    settings, _ = parse_mrsync([source, form])
    assert (settings.targets, settings.dest) == (tuple(targets.split()), dest)


@pytest.mark.parametrize(
    ("words", "is_durable"),
    [
        ("", False),
        ("--commit job", True),
        ("--durable", True),
        ("--fsync", True),
        ("--commit job --no-durable", False),
        ("--commit each", False),
    ],
)
def test_durable_is_the_default_with_commit_job(source: str, words: str, is_durable: bool) -> None:
    settings, _ = parse_mrsync(["-m", "a", "-s", source, *words.split()])
    assert settings.policy.durable is is_durable
