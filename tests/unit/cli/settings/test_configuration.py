"""Settings from files: which are read, what they mean beside the command line, and what is refused."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mrsync.cli.settings import configuration
from mrsync.cli.settings.options import parse_mrsync
from mrsync.cli.settings.tools.doctor_options import parse_doctor
from mrsync.cli.settings.tools.rtt_options import parse_rtt
from mrsync.cli.settings.tools.tool_output import ToolOutput
from mrsync.cli.settings.tools.verify_options import parse_verify
from mrsync.errors import UsageError
from mrsync.run.settings import CastSettings, Remote
from tests.programs import SOURCE
from tests.support.workers import not_under_coverage
from tests.unit.tree.syncing import as_nobody, nobodys_directory

Write = Callable[[str, str], Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write the settings of "system", "user", or of any other file."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "user"))
    monkeypatch.setattr(configuration, "SYSTEM_FILE", str(tmp_path / "system" / "mrsync" / "config.toml"))

    def write(place: str, text: str) -> Path:
        path = tmp_path / place / "mrsync" / "config.toml"
        path.parent.mkdir(parents=True)
        path.write_text(text)
        path.chmod(0o644)
        return path

    return write


def parsed(source: Path, *arguments: str) -> CastSettings:
    return parse_mrsync(["-m", "a", "-s", str(source), *arguments])[0]


def test_values_of_every_type_are_read(tmp_path: Path, write: Write) -> None:
    write(
        "user",
        'rsh = "cat -A"\ngroup = "239.1.2.3"\nport = 9000\nrate = "80M"\nack-wait = 12.5\ndelete = false\n'
        'encrypt = true\nquit-on-bad = true\nnumeric-ids = false\nexclude = ["*.o", "-e"]\ninclude = "*"\nfanout = 7\n'
        "verbose = 2\n",
    )
    settings = parsed(tmp_path)
    assert settings.remote_shell == "cat -A"
    assert (settings.network.group, settings.network.port) == ("239.1.2.3", 9000)
    assert (settings.rate_bytes_s, settings.ack_wait_s, settings.verbosity) == (80 << 20, 12.5, 2)
    assert (settings.policy.deletes, settings.policy.numeric_ids) == (False, False)
    assert (settings.is_encrypted, settings.quits_on_bad, settings.remote.fanout) == (True, True, 7)
    assert [rule.text for rule in settings.selection.rules] == [b"- *.o", b"- -e", b"+ *"]


def test_the_user_counts_more_than_the_system_and_the_command_line_more_than_both(tmp_path: Path, write: Write) -> None:
    paths = [
        write("system", 'port = 9000\nttl = 3\ngroup = "239.0.0.1"\n'),
        write("user", 'port = 9002\ngroup = "239.0.0.2"\nexclude = ["a"]\nno-encrypt = true\n'),
        write("own", 'port = 9004\nexclude = ["b"]\n'),
    ]
    network = parsed(tmp_path).network
    assert (network.port, network.ttl, network.group) == (9002, 3, "239.0.0.2")
    settings, output = parse_mrsync(
        ["-m", "a", "-s", str(tmp_path), "--config", str(paths[2]), "-A", "239.0.0.3", "--exclude", "c", "--encrypt"]
    )
    assert output.configurations == tuple(map(str, paths))
    assert (settings.network.port, settings.network.ttl, settings.network.group) == (9004, 3, "239.0.0.3")
    assert [rule.text for rule in settings.selection.rules] == [b"- a", b"- b", b"- c"]
    assert settings.is_encrypted is True


def test_false_undoes_the_value_of_an_earlier_file(tmp_path: Path, write: Write) -> None:
    write("system", "checksum = true\nencrypt = true\none-file-system = true\ncvs-exclude = true\nfrom0 = true\n")
    before = parsed(tmp_path)
    assert (before.policy.checksum, before.is_encrypted, before.selection.one_file_system) == (True, True, 1)
    write("user", "checksum = false\nencrypt = false\none-file-system = false\ncvs-exclude = false\nfrom0 = false\n")
    after = parsed(tmp_path)
    assert (after.policy.checksum, after.is_encrypted, after.selection.one_file_system) == (False, False, 0)
    assert (len(before.selection.rules) > 0, before.selection.has_nuls) == (True, True)
    assert (after.selection.rules, after.selection.has_nuls) == ((), False)
    assert parsed(tmp_path, "--encrypt").is_encrypted


def test_false_in_the_first_file_stays_false(tmp_path: Path, write: Write) -> None:
    write("user", "from0 = false\n")
    assert not parsed(tmp_path).selection.has_nuls


def test_the_command_line_overrides_a_setting_that_excludes_it(tmp_path: Path, write: Write) -> None:
    write("user", 'remote-dir = "/opt/bin"\n')
    assert parsed(tmp_path).remote.directory == "/opt/bin"
    remote = parsed(tmp_path, "--remote-python", "python3.12").remote
    assert (remote.directory, remote.python) == (None, "python3.12")


def test_filters_of_a_file_that_are_in_the_way_are_named_as_such(tmp_path: Path, write: Write) -> None:
    write("user", 'exclude = ["*.o"]\n')
    with pytest.raises(UsageError, match="cannot be given with -l; they are in a settings file"):
        parsed(tmp_path, "-l", "*.c")
    with pytest.raises(UsageError, match=r"cannot be given with -l$"):
        parsed(tmp_path, "-l", "*.c", "--max-size", "1")


@pytest.mark.parametrize("parse", [parse_doctor, parse_verify])
def test_doubts_about_dest_are_remarks_of_tools(parse: Callable[[list[str]], tuple[object, ToolOutput]]) -> None:
    for dest, doubts in (("/srv/{hots}", ["{hots}"]), ("$HOME/x", ["$HOME"]), ("/srv/{host}", [])):
        remarks = parse(["-m", "a", "-t", dest])[1].remarks
        assert [remark.text.removeprefix("warning: ").split()[0] for remark in remarks] == doubts


def test_settings_for_other_hosts_do_not_count_on_this_one(tmp_path: Path, write: Write) -> None:
    write("user", 'remote-python = "python3.99"\nremote-user = "joe"\n')
    command = ["-m", "a", "-r", "local", "-s", str(tmp_path), "-t", str(tmp_path.with_name("dest"))]
    assert parse_mrsync(command)[0].remote == Remote()
    with pytest.raises(UsageError, match="for other hosts, not for -r local"):
        parse_mrsync([*command, "--remote-python", "python3.12"])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("prot = 9000\n", "there is no setting 'prot'; did you mean 'port'?"),
        ("no-delete = true\n", "there is no setting 'no-delete'"),
        ('targets = "a"\n', "there is no setting 'targets'"),
        ('config = "x"\n', "there is no setting 'config'"),
        ("n = true\n", "there is no setting 'n'"),
        ("[mrsync]\nport = 1\n", "there is no setting 'mrsync'"),
        ("[rate]\nport = 1\n", "rate: it must be a string or a number"),
        ("port = true\n", "port: it must be a string or a number"),
        ('delete = "no"\n', "delete: it must be true or false"),
        ("delete = 1\n", "delete: it must be true or false"),
        ("rsh = 5\n", "rsh: it must be a string"),
        ("rsh = ['ssh']\n", "rsh: it must be a string"),
        ("exclude = [1]\n", "exclude: it must be a string"),
        ("port = 70000\n", "port: '70000' is not a port from 2 to 65535"),
        ('progress = "fancy"\n', "progress: invalid choice: 'fancy'"),
        ("port 9000\n", "is not valid TOML: "),
        ("port = 9000\nport = 9002\n", "is not valid TOML: "),
    ],
)
def test_a_bad_setting_is_one_sentence_with_its_place(tmp_path: Path, write: Write, text: str, sentence: str) -> None:
    path = write("user", text)
    with pytest.raises(UsageError) as caught:
        parsed(tmp_path)
    assert str(caught.value).startswith(f"{path}")
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "--help" not in str(caught.value)


@pytest.mark.parametrize(
    ("setting", "words", "remote"),
    [
        ("true", [], Remote(is_sudo=True)),
        ("false", [], Remote()),
        ('"a"', [], Remote(is_sudo=True, sudo_only=frozenset({"a"}))),
        ('"a"', ["--sudo"], Remote(is_sudo=True)),
        ("true", ["--sudo=b"], Remote(is_sudo=True, sudo_only=frozenset({"b"}))),
        ('"b,of-another-run"', [], Remote(is_sudo=True, sudo_only=frozenset({"b"}))),
        ('"of-another-run"', [], Remote()),
    ],
)
def test_sudo_with_or_without_names(
    write: Write, tmp_path: Path, setting: str, words: list[str], remote: Remote
) -> None:
    path = write("job", f"sudo = {setting}\n")
    line = ["--config", str(path), "-m", "a,b", "-s", str(tmp_path), *words]
    assert parse_mrsync(line, reads_files=False)[0].remote == remote


def test_bytes_that_are_no_text(tmp_path: Path, write: Write) -> None:
    write("user", "").write_bytes(b'rsh = "\xff"')
    with pytest.raises(UsageError, match="is not valid TOML"):
        parsed(tmp_path)
    os.truncate(tmp_path / "user/mrsync/config.toml", 2 << 20)
    with pytest.raises(UsageError, match="too large"):
        parsed(tmp_path)


@pytest.mark.parametrize("text", ["[" + "a." * 100_000 + "a]\n", '"b" = {' + "a." * 100_000 + "a = 1}\n"])
def test_a_key_without_end_is_not_parsed(tmp_path: Path, write: Write, text: str) -> None:
    """It would take hours."""
    path = write("user", text)
    with pytest.raises(UsageError, match="line 1 has a key of more than 256 parts"):
        parsed(tmp_path)
    path.write_text(f'exclude = "{"." * 1000}"  # {"." * 1000}\n')
    assert parsed(tmp_path)


@pytest.mark.parametrize("end", ["", "\\", '""", {' + "a." * 1000 + "b = 1}"])
def test_a_quotation_of_marks_takes_no_time(tmp_path: Path, write: Write, end: str) -> None:
    """That would be hours."""
    write("user", 'exclude = "' + '\\"' * 250_000 + end + "\n")
    with pytest.raises(UsageError, match=r"is not valid TOML|more than 256 parts"):
        parsed(tmp_path)


@pytest.mark.parametrize("mode", [0o664, 0o646, 0o666])
def test_a_file_that_others_may_write_is_refused(tmp_path: Path, write: Write, mode: int) -> None:
    write("user", "port = 9000\n").chmod(mode)
    with pytest.raises(UsageError, match="not trusted: others may write to it"):
        parsed(tmp_path)


def test_a_file_of_somebody_else_is_refused(tmp_path: Path, write: Write) -> None:
    if os.geteuid():
        pytest.skip("only root can make one")
    os.chown(write("user", "port = 9000\n"), 1234, 0)
    with pytest.raises(UsageError, match="not trusted"):
        parsed(tmp_path)


def test_a_file_without_settings_is_refused(tmp_path: Path, write: Write) -> None:
    with pytest.raises(UsageError, match=r"^/no/such/file: there is no such file \(--config\)$"):
        parsed(tmp_path, "--config", "/no/such/file")
    path = write("user", "")
    assert parse_mrsync(["-m", "a", "-s", str(tmp_path)])[1].configurations == (str(path),)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(UsageError, match="is not a regular file with settings"):
        parsed(tmp_path)


def test_where_the_users_file_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative")
    assert configuration.user_file() == "/home/me/.config/mrsync/config.toml"
    monkeypatch.setenv("XDG_CONFIG_HOME", "/elsewhere")
    assert configuration.user_file() == "/elsewhere/mrsync/config.toml"


def test_a_file_may_exclude_targets_of_other_runs(tmp_path: Path, write: Write) -> None:
    write("user", 'exclude-target = "b,u"')
    words = ["-m", "a,u@b", "-s", str(tmp_path)]
    assert parse_mrsync(words)[0].targets == ("a",)
    assert parse_mrsync([*words, "-m", "c,d", "--exclude-target", "d"])[0].targets == ("a", "c")
    with pytest.raises(UsageError, match="--exclude-target: u is not among the targets"):
        parse_mrsync([*words, "--exclude-target", "b,u"])


@not_under_coverage
def test_no_file_costs_no_parser(tmp_path: Path) -> None:
    code = "import sys; from mrsync.cli.settings.options import parse_mrsync as p; p(sys.argv[1:]); print(*sys.modules)"
    command = [sys.executable, "-c", code, "-m", "a", "-s", str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    loaded = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout.split()
    assert "mrsync.cli.settings.configuration" in loaded
    assert "tomllib" not in loaded


def test_the_tools_read_their_settings(write: Write) -> None:
    write(
        "user",
        'rsh = "ssh -p 2222"\ngroup = "239.1.2.3"\nport = 9000\ninterface = "lo"\nrate = "80M"\ndelete = false\n'
        'exclude = ["*.o"]\nremote-dir = "/opt/mrsync"\n',
    )
    examination = parse_doctor(["-m", "a"])[0]
    assert examination.remote_shell == "ssh -p 2222"
    assert (examination.network.group, examination.network.port) == ("239.1.2.3", 9000)
    assert examination.rate_bytes_s == 25_000_000  # how fast syncs may be is another question
    assert examination.remote.directory is None
    trips = parse_rtt(["-m", "a"])[0]
    assert (trips.remote_shell, trips.network.interface) == ("ssh -p 2222", "lo")
    assert (trips.network.group, trips.network.port) == (None, 7900)  # its own place
    assert trips.remote.directory == "/opt/mrsync"
    assert parse_rtt(["-m", "a", "--insecure"])[0].remote_shell is None


def test_a_setting_needs_no_other_option_beside_it(write: Write) -> None:
    write("user", 'sudo = "a"\ninterface = "lo"\n')
    assert parse_verify(["-m", "a", "-t", "/d"])[0].remote.is_sudo
    with pytest.raises(UsageError, match="dest is missing"):
        parse_verify(["-m", "a"])


def test_an_unknown_setting_is_one_for_the_tools_too(write: Write) -> None:
    write("user", "nonsense = 1\n")
    for parse in (parse_doctor, parse_rtt):
        with pytest.raises(UsageError, match="there is no setting 'nonsense'"):
            parse(["-m", "a"])


def test_a_home_that_is_closed_has_no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """As under `setpriv` or `su` with root's environment; a file that is seen, but cannot be read, is said."""

    def run(top: Path) -> None:
        monkeypatch.setenv("XDG_CONFIG_HOME", str(top / "closed"))
        (top / "closed" / "mrsync").mkdir(parents=True)
        (top / "closed" / "mrsync" / "config.toml").touch(mode=0)
        with pytest.raises(UsageError, match="Permission denied"):
            parse_mrsync(["-m", "a", "-s", "/"])
        (top / "closed").chmod(0)
        assert parse_mrsync(["-m", "a", "-s", "/"])[1].configurations == ()
        with pytest.raises(UsageError, match="Permission denied"):
            parse_mrsync(["-m", "a", "-s", "/", "--config", str(top / "closed" / "mrsync" / "config.toml")])
        (top / "closed").chmod(0o700)

    with nobodys_directory() as top:
        as_nobody(lambda: run(top))
