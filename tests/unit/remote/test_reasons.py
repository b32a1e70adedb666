"""Words of real programs: OpenSSH 9.2, dash, bash, tcsh, fish, Python."""

from __future__ import annotations

import pytest

from mrsync.remote.reasons import describe


def reason(text: str, status: int = 255) -> str:
    """What happened, without what helps."""
    return describe(text.splitlines(), status, program="python3", shell="ssh").partition("; ")[0]


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("Host key verification failed.", "ssh-keyscan"),
        ("No ED25519 host key is known for node3\nHost key verification failed.", "connect to it once"),
        ("REMOTE HOST IDENTIFICATION HAS CHANGED!", "ssh-keygen -R"),
        ("root@node3: Permission denied (publickey).", "ssh-add"),
        ("ssh: Could not resolve hostname x: Name or service not known", "/etc/hosts"),
        ("ssh: connect to host node3 port 22: Connection refused", "does sshd run"),
        ("ssh: connect to host fe80::1 port 22: Invalid argument", "as in fe80::1%eth0"),
        ("ssh: connect to host node3 port 22: Connection timed out", "firewall"),
        ("kex_exchange_identification: read: Connection reset by peer", "log of sshd"),
        ("sh: 1: exec: python3: not found", "--remote-python"),
        ("multicatcher: Python 3.6.8 is too old (name another one with --remote-python)", "--remote-python"),
        ("sudo: a password is required", "NOPASSWD"),
        ("sudo: sorry, you must have a tty to run sudo", "requiretty"),
        ("eve is not in the sudoers file.", "sudoers"),
        ("Sorry, user eve is not allowed to execute 'python3' as root on node3.", "sudoers"),
        ("sh: 1: exec: sudo: not found", "there is no sudo"),
        ("Fatal Python error: init_fs_encoding: no codec\nPython runtime state: core initialized", "PYTHONHOME"),
        ("Fatal Python error: config_init_hash_seed: PYTHONHASHSEED must be an integer", "unset this variable"),
        ("Cannot execute command-line and remote command.", "-o RemoteCommand=none"),
        ("This account is currently not available.", "--remote-user"),
        ("rbash: line 1: exec: restricted", "--remote-user"),
        ("This account is restricted by rssh.", "--remote-user"),
        ("This service allows sftp connections only.", "--remote-user"),
        ("Traceback (most recent call last):\nMemoryError", "ulimit -v"),
        ('Error from server (NotFound): pods "web" not found', "kubectl exec -i -n"),
    ],
)
def test_known_troubles_name_their_remedy(text: str, remedy: str) -> None:
    sentence = describe(text.splitlines(), 255, program="python3", shell="ssh")
    assert remedy in sentence
    assert "node3" not in sentence, "equal reasons are folded"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ssh: connect to host node3 port 22: Connection refused", "Connection refused"),
        ("ssh: connect to host node3 port 22: Connection timed out", "Connection timed out"),
        ("ssh: connect to host node3 port 22: No route to host", "No route to host"),
        (
            "ssh: Could not resolve hostname x: Name or service not known",
            "its name cannot be resolved: Name or service not known",
        ),
        ("root@node3: Permission denied (publickey,password).", "Permission denied (publickey,password)"),
        (
            "No ED25519 host key is known for node3 and you asked for strict checking.\nHost key verification failed.",
            "its host key is not known on this host: Host key verification failed",
        ),
        (
            "@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nOffending key in x:1\nHost key verification failed.",
            "its host key has changed: Host key verification failed",
        ),
        (
            "Connection timed out during banner exchange\nConnection to 10.0.0.1 port 22 timed out",
            "Connection timed out during banner exchange",
        ),
        ("Timeout, server node3 not responding.", "the connection was lost: it no longer answers"),
        ("kex_exchange_identification: read: Connection reset by peer", "Connection reset"),
    ],
)
def test_failures_of_ssh_are_named_with_a_remedy(text: str, expected: str) -> None:
    assert reason(text) == expected


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("sh: 1: exec: python3: not found", 127),
        ("bash: line 1: exec: python3: not found", 127),
        ("bash: python3: command not found", 127),
        ("python3: Command not found.", 1),
        ("fish: Unknown command: python3", 127),
        ("Welcome to node3\nsh: 1: python3: not found", 127),
        ("env: 'python3': No such file or directory", 0),
    ],
)
def test_missing_python_is_named(text: str, status: int) -> None:
    assert reason(text, status) == "there is no python3"


def test_a_command_that_ssh_replaces_is_suspected() -> None:
    told = describe(["hello"], 0, program="python3", shell="ssh")
    assert told.startswith("ssh ended before the catcher started: hello; does ForceCommand ")
    assert "Fork" not in told
    told = describe([], 0, program="python3", shell="ssh")
    assert "; does ssh go into the background (-f, or ForkAfterAuthentication in ssh_config)? Or does Force" in told
    told = describe([], 1, program="python3", shell="ssh")  # command="/bin/false" of the key
    assert told.startswith("ssh ended with status 1; does ForceCommand ")


def test_our_own_words_win() -> None:
    assert (
        reason("Connection refused by something\nmulticatcher: Python 3.8.18 is too old", 1)
        == "Python 3.8.18 is too old"
    )


@pytest.mark.parametrize(
    ("text", "status", "expected"),
    [
        ("", 0, "ssh ended before the catcher started"),
        (
            "Something else is wrong.",
            1,
            "ssh ended with status 1: Something else is wrong.",
        ),
        ("Authorized use only\n******\n", 0, "ssh ended before the catcher started: Authorized use only"),
        ("******", 0, "ssh ended before the catcher started"),
        ("", -9, "ssh was killed by SIGKILL"),
        ("", -40, "ssh was killed by signal 40"),  # a real-time signal
        ("OSError: [Errno 28] No space left on device", 1, "No space left on device"),
    ],
)
def test_other_failures_are_named_by_their_last_line_or_status(text: str, status: int, expected: str) -> None:
    assert reason(text, status) == expected


def test_long_lines_are_not_searched_to_their_ends() -> None:
    """A hostile target could stop the master for minutes: patterns take the square of the length."""
    words = "python3 sudo Could not resolve hostname "
    assert reason(f"{words}: not found", 1).startswith("there is no python3")
    assert reason(f"{words * 50}: not found", 1).startswith("ssh ended with status 1: python3 sudo")


JUMPED = "kex_exchange_identification: Connection closed by remote host\nConnection closed by UNKNOWN port 65535"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ssh: Could not resolve hostname node3: Unknown error", "its name cannot be resolved: Unknown error; put it"),
        ("ssh: Could not resolve hostname n3.lan: Unknown error", "ssh_config leads to n3.lan (HostName or ProxyJump)"),
        (f"ssh: Could not resolve hostname jump: Unknown error\n{JUMPED}", "ssh_config leads to jump (HostName or"),
        (
            f"eve@jump: Permission denied (publickey).\n{JUMPED}",
            "on the way through its jump host: Permission denied (",
        ),
        ("eve@node3: Permission denied (publickey).", "Permission denied (publickey); "),
        (
            f"channel 0: open failed: connect failed: Connection refused\nstdio forwarding failed\n{JUMPED}",
            "its jump host cannot connect to it: Connection refused; HostName in ssh_config is looked up there",
        ),
    ],
)
def test_a_jump_host_of_ssh_config_is_named(text: str, expected: str) -> None:
    sentence = describe(text.splitlines(), 255, program="python3", shell="ssh", host="root@Node3")
    assert sentence.startswith(expected)
