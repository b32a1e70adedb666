"""Options of rsync, each with a tree made for it: rsync and mrsync leave equal trees and equal itemized lines."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.programs import program
from tests.rsync.differences import differing
from tests.rsync.outcomes import NOW

pytestmark = pytest.mark.skipif(shutil.which("rsync") is None, reason="needs rsync")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A source `s`, and the destinations rsync/dest and mrsync/dest."""
    for name in ("s/a/sub", "s/l/deep", "rsync/dest/real", "rsync/dest/a", "rsync/outside"):
        (tmp_path / name).mkdir(parents=True)
    for number, name in enumerate(("s/a/f", "s/l/g", "s/l/deep/h", "s/a/sub/i", "rsync/dest/a/f")):
        (tmp_path / name).write_text(str(number))
    return tmp_path


def check(folder: Path, line: str) -> None:
    """Run a line without DEST with both programs, on copies of rsync/dest."""
    subprocess.run(["cp", "-a", "rsync", "mrsync"], cwd=folder, check=True)
    found = differing(line.split(), "dest/", folder, random.randrange(20000, 32000, 2))
    assert not found, found


KEPT = {  # by case, names in rsync/dest and what they lead to
    "a link to a directory beside it": {"l": "real"},
    "a link to a link": {"m": "real", "l": "m"},
    "a link upwards": {"a/sub": "../real"},
    "a link to DEST": {"l": "."},
    "a link out of DEST": {"l": "../outside"},
    "an absolute link": {"l": "/usr"},
    "a link out and back": {"l": "../dest/real"},
    "a link to a file": {"l": "a/f"},
    "a link to nothing": {"l": "nothing"},
}


@pytest.mark.parametrize("case", KEPT)
def test_links_to_directories_are_kept(folder: Path, case: str) -> None:
    for name, goal in KEPT[case].items():
        (folder / "rsync/dest" / name).symlink_to(goal)
    is_beneath = "out" not in case and "absolute" not in case
    # rsync also itemizes directories that it fails to make, and gives the time of a directory to the link
    check(folder, "-aiKO s/" if is_beneath else "-aKO s/")


@pytest.mark.parametrize(
    ("line", "where"),
    [
        *[(line, where) for line in ("-aix s/", "-aixx s/", "-aix s") for where in ("s", "dest", "s and dest")],
        ("-aixx s/m s/a s/m/", "s"),
        ("-aixx s/m s/", "s"),
    ],
)
def test_other_file_systems_are_not_entered(folder: Path, line: str, where: str) -> None:
    tops = ["s"] * where.startswith("s") + ["rsync/dest", "mrsync/dest"] * where.endswith("dest")
    (folder / "s/m").mkdir()
    subprocess.run(["rsync", "-a", "s/", "s", "rsync/dest/"], cwd=folder, check=True)
    subprocess.run(["cp", "-a", "rsync", "mrsync"], cwd=folder, check=True)
    with ExitStack() as mounted:
        for top in tops:
            if os.system(f"mount -t tmpfs -o mode=755 none {folder / top}/m"):
                pytest.skip("cannot mount")
            mounted.callback(os.system, f"umount {folder / top}/m")
        for top in ("s", "rsync/dest", "mrsync/dest"):
            (folder / top / "m/sub").mkdir()
            (folder / top / "m/sub" / f"only in {top[-1]}").touch()
        for path in folder.rglob("*"):
            os.utime(path, (NOW, NOW), follow_symlinks=False)
        found = differing([*line.split(), "--delete"], "dest/", folder, random.randrange(20000, 32000, 2))
    assert not found, found


MISSING = (
    "s/a s/x",
    "s/full s/a",
    "--delete s/full s/a",
    "s/a s/empty",
    "-R s/a s/a/z s/a/nope",
    "s/x",
    "s/ s/x s/full",
    "s/a s/x --max-delete=0",
    "s/a s/x s/empty -n",
    "s/a s/x --exclude=x",
    "s/a s/x --exclude=x --delete-excluded",
    "s/a s/x --filter=P_x",
    "s/a s/x --filter=H_x --delete-excluded",
    "s/a s/full --filter=P_full --delete --force",
    "s/a s/full --exclude=y --force",
    "s/a s/x -b",
    "-R s/nope/x s/a",
    "--files-from=list s",
    "-r --delete --files-from=list s",
    "s/x s/a --existing",
    "--ignore-missing-args --files-from=list s",
)


@pytest.mark.parametrize("line", MISSING)
def test_missing_arguments_are_deleted(folder: Path, line: str) -> None:
    for top in ("rsync/dest", "rsync/dest/s/a", "rsync/dest/a"):
        for name in ("full", "empty"):
            (folder / top / name).mkdir(parents=True)
        for name in ("x", "z", "full/y"):
            (folder / top / name).write_text(name)
    (folder / "list").write_text("a/f\nx\na/z\na/nope\nfull\nqq/zz\na/empty\n")
    check(folder, f"-ai --delete-missing-args {line}" if "--ignore" not in line else f"-ai {line}")


MAPS = (
    "--usermap=daemon:bin,33:2,b*:0 --groupmap=*:7",
    "--usermap=:33,1-2:9 --groupmap=:5,root:6",
    "--usermap=*:nobody-knows-this,[dw]*:3",
    "--chown=daemon:bin",
    "--chown=:2 --usermap=0:33",
    "--numeric-ids --groupmap=:4 --usermap=daemon:2",
    "--preallocate --partial-dir=.partial --stop-after=60",
)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
@pytest.mark.parametrize("line", MAPS)
def test_owners_are_mapped(folder: Path, line: str) -> None:
    for number in (0, 1, 2, 33, 54321):
        (folder / f"s/of{number}").touch()
        os.chown(folder / f"s/of{number}", number, number)
    check(folder, f"-ai {line} s/")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
@pytest.mark.parametrize("use", ["link", "copy", "compare"])
@pytest.mark.parametrize("owners", ["--groupmap=*:7", "--usermap=*:7", "--chown=3:4"])
def test_a_dry_run_tells_of_owners_where_dest_is_missing(folder: Path, use: str, owners: str) -> None:
    shutil.rmtree(folder / "rsync/dest")
    subprocess.run(["cp", "-a", "s", "rsync/other"], cwd=folder, check=True)
    check(folder, f"-ain --{use}-dest=../other {owners} s/")


@pytest.mark.parametrize("option", ["--existing", "--ignore-existing", "-O"])
def test_a_dry_run_tells_whether_dest_would_be_made(folder: Path, option: str) -> None:
    shutil.rmtree(folder / "rsync/dest")
    check(folder, f"-ain {option} s/")


FORMATS = (
    ("@%i|%-12n|%L|%o|%U:%G|%M|%B|%%|%q", "-a --delete s/"),
    ("@%n%L", "-a --delete --size-only s/"),
    ("@%o %f", "-aO --delete s/a/"),
    ("@%n %l %8l %'l %''l %'''l %-12'l|", "-a s/big"),
)


@pytest.mark.parametrize(("form", "line"), FORMATS, ids=lambda each: each)
def test_lines_have_the_format_asked_for(folder: Path, form: str, line: str) -> None:
    (folder / "s/big").write_bytes(bytes(1_234_567))
    (folder / "s/link").symlink_to("big")
    (folder / "s/a/same").touch()
    (folder / "rsync/dest/more").mkdir()
    (folder / "rsync/dest/more/x").touch()
    subprocess.run(["rsync", "-a", "s/a/same", "s/l", "rsync/dest/"], cwd=folder, check=True)
    (folder / "rsync/dest/l/g").chmod(0o600)
    (folder / "rsync/dest/l").chmod(0o700)
    subprocess.run(["cp", "-a", "rsync", "mrsync"], cwd=folder, check=True)
    form = form.replace("%f", "%n") if "s/a/" in line else form  # rsync's %f begins with SOURCE
    said = [_lines(folder, name, [f"--out-format={form}", *line.split()]) for name in ("rsync", "mrsync")]
    assert said[0] == said[1]
    assert said[0]


@pytest.mark.parametrize("flags", ["name", "del", "name,stats2", "none,name", "all0,del"])
def test_info_prints_the_named_things(folder: Path, flags: str) -> None:
    (folder / "rsync/dest/more").mkdir()
    subprocess.run(["cp", "-a", "rsync", "mrsync"], cwd=folder, check=True)
    said = [_lines(folder, name, [f"--info={flags}", "-a", "--delete", "s/"]) for name in ("rsync", "mrsync")]
    paths = ("@", "deleting", "./", "a/", "l/")
    told = [[line for line in each if line.startswith(paths)] for each in said]
    assert told[0] == told[1]
    assert told[0]


def _lines(folder: Path, name: str, words: list[str]) -> list[str]:
    """Return the sorted output of rsync or mrsync."""
    port = random.randrange(20000, 32000, 2)
    own = program("mrsync", "--rsh=local", f"--port={port}", "--progress=none", *words, f"t:{folder}/mrsync/dest/")
    command = ["rsync", *words, "rsync/dest/"] if name == "rsync" else own
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return sorted(line.removeprefix("t: ") for line in ended.stdout.splitlines() if "complete" not in line)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_no_backup_is_kept_of_a_file_that_only_gets_other_attributes(folder: Path) -> None:
    os.chown(folder / "s/a/f", 1000, 1000)
    subprocess.run(["cp", "-p", "s/a/f", "rsync/dest/a/f"], cwd=folder, check=True)
    os.chown(folder / "rsync/dest/a/f", 1, 1)
    check(folder, "-aib s/")
