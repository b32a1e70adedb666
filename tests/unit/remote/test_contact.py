from __future__ import annotations

from mrsync.remote.contact import LINES_KEPT, LINES_MAX, TOO_MANY, Contact
from mrsync.remote.launcher import TEXT_BYTES_MAX, CatcherExited, LineWritten
from mrsync.run.verify.findings import TreeVerdict, encode_finding
from mrsync.tree.record.verification import FOUND_MAX, Difference


def contact(*lines: bytes) -> Contact:
    made = Contact(3, program="python3", shell="rsh", host="a")
    for line in lines:
        made.receive_line(line)
    return made


def test_lines_are_handed_on_and_the_marker_is_not() -> None:
    made = contact()
    assert made.receive_line(b"Welcome!\r") == LineWritten(3, b"Welcome!")
    assert made.receive_line(b"") is None
    assert not made.has_started
    assert made.receive_line(b"mrsync catcher\r") is None
    assert made.has_started
    assert made.receive_line(b'{"ready": true}') == LineWritten(3, b'{"ready": true}')


def test_the_marker_names_the_bytecode() -> None:
    assert contact(b"mrsync catcher").bytecode == b""
    assert contact(b"b'x'", b"mrsync catcher b'y'\r").bytecode == b"b'y'"


def test_a_good_end_comes_after_a_start() -> None:
    assert contact(b"mrsync catcher").exited(0) == CatcherExited(3, 0, "ended")
    assert contact(b"mrsync catcher", b"multicatcher: no input").exited(0) == CatcherExited(3, 0, "no input")
    assert contact(b"hello").exited(0) == CatcherExited(3, 1, "rsh ended before the catcher started: hello")


def test_an_ssh_that_ends_while_its_command_runs_is_suspected() -> None:
    made = Contact(3, program="python3", shell="ssh", host="a")
    made.receive_line(b"mrsync catcher")
    assert "does ssh go into the background (-f, or ForkAfterAuthentication in ssh_config)?" in made.exited(0).reason
    made.receive_line(b"multicatcher: no input")
    assert made.exited(0).reason == "no input"


def test_noise_does_not_explain_a_later_failure() -> None:
    ended = contact(b"stty: Connection refused", b"mrsync catcher", b"multicatcher: no route").exited(10)
    assert ended == CatcherExited(3, 10, "no route")


def test_a_message_of_the_catcher_does_not_explain_its_end() -> None:
    ended = contact(b"mrsync catcher", b'{"ready": true}').exited(-9)
    assert ended == CatcherExited(3, -9, "rsh was killed by SIGKILL")


def test_a_verdict_stands() -> None:
    made = contact(b"some words")
    made.judge("did not answer within 3 s")
    assert made.exited(-9) == CatcherExited(3, -9, "did not answer within 3 s")


def test_lines_without_end_are_left_out() -> None:
    made = contact(b"mrsync catcher")
    told = [made.receive_line(b"%d" % number) for number in range(3 * LINES_MAX)]
    written = [line for line in told if line is not None]
    assert written[-1].line == TOO_MANY
    assert len(written) == LINES_MAX
    assert made.exited(3).reason.endswith(str(3 * LINES_MAX - 1))


def test_of_output_without_end_only_the_last_lines_are_looked_at() -> None:
    for line in (b"noise", b""):
        made = contact(*[line] * LINES_MAX)
        assert made.is_overfull
        assert made.lines_wanted == -1  # the marker may still come, anywhere
        made.receive_line(b"mrsync catcher")
        assert not made.is_overfull
        assert made.lines_wanted == -1
        for _ in range(LINES_MAX):
            made.receive_line(line)
        assert made.lines_wanted == LINES_KEPT


def test_overlong_lines_are_told_in_part() -> None:
    line = b"\xff" * 60_000
    told = contact().receive_line(line)
    assert told is not None
    assert (told.line, told.text) == (line, "\\xff" * TEXT_BYTES_MAX + "...")
    assert len(contact(line).exited(3).reason) < 5 * TEXT_BYTES_MAX


def test_all_findings_of_a_verifier_are_passed_on() -> None:
    made = contact(b"mrsync catcher")
    said = [encode_finding(Difference("missing", b"%d" % at)).encode() for at in range(FOUND_MAX)]
    last = encode_finding(TreeVerdict(differences=FOUND_MAX)).encode()
    passed = [made.receive_line(line) for line in (*said, last)]
    assert [each.line for each in passed if each is not None] == [*said, last]
