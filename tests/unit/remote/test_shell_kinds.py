"""Programs that take words instead of a shell line: here stand-ins that take them as the real ones do."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from mrsync.errors import UsageError
from mrsync.remote.command import CatcherCommand, RemoteShell

needs_ssh = pytest.mark.skipif(shutil.which("ssh") is None, reason="ssh is not installed")


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory first in PATH, for programs that record their words."""
    for name in ("docker", "podman", "kubectl", "srun", "ssh"):
        program = tmp_path / name
        program.write_text(
            '#!/bin/sh\nprintf "%s\\n" "$@" > "$0.words"\n'
            'case " $* " in *" inspect "*) echo "172.17.0.5 10.88.0.2 ";; *" get pod "*) printf 10.42.0.9;; esac\n'
        )
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return tmp_path


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("docker exec -i", "docker exec -i HOST sh -c COMMAND"),
        ("podman exec --interactive -w /", "podman exec --interactive -w / HOST sh -c COMMAND"),
        ("kubectl exec -i -n prod -c main", "kubectl exec -i -n prod -c main HOST -- sh -c COMMAND"),
        ("srun --overlap", "srun --overlap --nodes=1 --ntasks=1 --nodelist=HOST sh -c COMMAND"),
        ("env A=b", "env A=b HOST COMMAND"),
    ],
)
def test_each_remote_shell_gets_host_and_command_its_way(path: Path, text: str, words: str) -> None:
    assert RemoteShell.parse(text, 10).towards("HOST", "COMMAND") == words.split()


@pytest.mark.parametrize(
    ("text", "user", "words"),
    [
        ("docker exec -i", "eve", "docker exec -i --user eve HOST sh -c COMMAND"),
        ("env A=b", "eve", "env A=b eve@HOST COMMAND"),
    ],
)
def test_each_remote_shell_gets_the_user_its_way(path: Path, text: str, user: str, words: str) -> None:
    assert RemoteShell.parse(text, 10, user).towards("HOST", "COMMAND") == words.split()


@needs_ssh
def test_ssh_has_an_option_for_the_user() -> None:
    words = RemoteShell.parse("ssh", 10, "eve").words
    assert words[:3] == ("ssh", "-l", "eve")


@pytest.mark.parametrize(
    ("text", "user", "problem"),
    [
        ("docker", "", "use -r 'docker exec -i'"),
        ("docker exec", "", "use -r 'docker exec -i', as the program comes over stdin"),
        ("docker exec -it", "", "leave out -t"),
        ("kubectl exec -i --tty", "", "leave out -t"),
        ("kubectl exec -i", "eve", "kubectl cannot start programs as another user"),
        ("ssh -p 22 -aN", "", "leave out -N, as ssh would start nothing"),
        ("ssh -l nobody -f", "", "leave out -f, as ssh must stay"),
        ("ssh -o BatchMode=no -lf -n", "", "leave out -n"),
        ("ssh -W x:1", "", "leave out -W"),
        ("srun", "eve", "srun cannot start programs as another user"),
    ],
)
def test_words_that_cannot_carry_a_catcher_are_refused(path: Path, text: str, user: str, problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        RemoteShell.parse(text, 10, user)


@pytest.mark.parametrize(
    ("text", "address", "words"),
    [
        ("docker -H tcp://x exec -i", "172.17.0.5", "-H tcp://x inspect --format"),
        ("kubectl exec -i -n prod -c main", "10.42.0.9", "-n prod get pod web -o jsonpath={.status.podIP}"),
        ("srun", None, ""),
        ("env", None, ""),
    ],
)
def test_containers_and_pods_are_asked_for_an_address(path: Path, text: str, address: str | None, words: str) -> None:
    assert RemoteShell.parse(text, 10).real_name("web") == address
    if address is not None:
        said = (path / f"{text.split()[0]}.words").read_text().split("\n")
        assert " ".join(said).startswith(words)


@needs_ssh
def test_ssh_knows_what_its_configuration_calls_a_host(tmp_path: Path) -> None:
    configuration = tmp_path / "config"
    configuration.write_text("Host n1\n  HostName 10.0.0.7\nHost db*\n  HostName %h.example.org\n")
    shell = RemoteShell.parse(f"ssh -F {configuration}", 10.0)
    assert shell.real_name("n1") == shell.real_name("root@n1") == "10.0.0.7"
    assert shell.real_name("db4") == "db4.example.org"
    assert shell.real_name("other") == "other"


def test_python_may_be_words_and_be_started_by_sudo(tmp_path: Path) -> None:
    command = CatcherCommand("nice -n 5 python3", is_sudo=True)
    assert command.program == "python3"
    assert command.on("node1").startswith("exec sudo -n nice -n 5 python3 -E -c '")
    sudo = tmp_path / "sudo"
    sudo.write_text('#!/bin/sh\n[ "$1" = -n ] && shift && exec "$@"\n')
    sudo.chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["sh", "-c", command.on("node1")], input=b"print('ran')\n", capture_output=True, env=environment, check=False
    )
    assert done.stdout.split(b"\n")[-2:] == [b"ran", b""]
