"""Situations that are easily got wrong, and usual lines: trees, itemized lines and status are rsync's."""

from __future__ import annotations

import os
import random
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.rsync.differences import differing
from tests.rsync.outcomes import NOW
from tests.rsync.usual_lines import LINES

pytestmark = [pytest.mark.skipif(shutil.which("rsync") is None, reason="needs rsync"), pytest.mark.many]

NASTY = ("new\nline", b"\xff\xfe".decode("utf-8", "surrogateescape"), " blank ", "-rf", "\\#012", "é", "*", "tab\t")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Sources s1 and s2, and DEST with an older copy of s1."""
    for name in ("s1/b/deep", "s1/e", "s1/.hidden", "s2/z", "rsync/dest", "s1/x"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("s1/a", "s1/b/c", "s1/b/d.o", "s1/b/deep/c", "s1/.hidden/f", "s1/x/keep", "s2/a", "s2/b", "s2/z/y"):
        (tmp_path / name).write_text(name)
    for name in NASTY:
        (tmp_path / "s1/x" / name).write_text("nasty")
    (tmp_path / "s1/large").write_bytes(bytes(3000))
    (tmp_path / "s1/l").symlink_to("b")
    (tmp_path / "s1/dangling").symlink_to("nowhere")
    (tmp_path / "s1/out").symlink_to("../s2/z")
    os.link(tmp_path / "s1/b/c", tmp_path / "s1/x/hard")
    subprocess.run(["rsync", "-aH", "s1/", "rsync/dest/"], cwd=tmp_path, check=True)
    (tmp_path / "rsync/dest/b/c").write_text("older")
    (tmp_path / "rsync/dest/b/deep/c").unlink()
    (tmp_path / "rsync/dest/b/extra.o").write_text("extra")
    (tmp_path / "rsync/dest/extra").mkdir()
    (tmp_path / "rsync/dest/extra/keep").write_text("extra")
    for path in sorted(tmp_path.rglob("*"), reverse=True):
        os.utime(path, (NOW, NOW), follow_symlinks=False)
    os.utime(tmp_path / "rsync/dest/a", (NOW + 100, NOW + 100))
    os.utime(tmp_path / "rsync/dest/large", (NOW - 100, NOW - 100))
    return tmp_path


def replace(path: Path, *, by: str) -> None:
    """Put another kind of entry into the place of a path: a full or empty directory, a file, a link to a directory."""
    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)
    if by in ("empty", "full"):
        path.mkdir()
        if by == "full":
            (path / "in it").write_text("in it")
    elif by == "file":
        path.write_text("file")
    else:
        path.symlink_to("extra")


def _filters(folder: Path) -> None:
    (folder / "s1/.rsync-filter").write_text("- *.o\n+ /x/keep\n- /x/*\n")
    (folder / "s1/b/.rsync-filter").write_text("!\n- deep/\n")
    (folder / "rules").write_text("# none\n\n*.o\n/extra\n+ keep\n")


def _filters_above(folder: Path) -> None:
    (folder / "s1/.rsync-filter").write_text("- c\n- /b/d.o\n")
    (folder / "s1/b/.rsync-filter").write_text("+ deep/c\n")


def _filters_of_each(folder: Path) -> None:
    (folder / "s1/.rsync-filter").write_text("- c\n- z\n- /a\n")
    (folder / "s2/.rsync-filter").write_text("- /b\n- e\n- c\n")
    (folder / "s2/z/.rsync-filter").write_text("+ y\n")


def _filters_to_come(folder: Path) -> None:
    _filters(folder)
    (folder / "s1/.rsync-filter").write_text("- extra\n")
    (folder / "s1/b/.rsync-filter").write_text("- *.o\n")


def _list(folder: Path) -> None:
    names = ["b", "x/new\nline", "x/" + NASTY[1], "./a", "x/../large", "e/"]
    (folder / "list").write_bytes(b"\0".join(os.fsencode(name) for name in names) + b"\0")


def _list_of_links(folder: Path) -> None:
    (folder / "s1/b/up").symlink_to("..")
    (folder / "s1/file").symlink_to("a")
    (folder / "list").write_text("l/\nl2\nout/\nb/up/\nfile/\ndangling/\n")
    (folder / "s1/l2").symlink_to("b")


def _list_of_a_loop(folder: Path) -> None:
    _list_of_links(folder)
    (folder / "s1/loop").symlink_to("loop")
    (folder / "list").write_text("loop/\nl/\n")


def _list_of_a_link(folder: Path) -> None:
    (folder / "list").write_text("l2\na\n")
    (folder / "s1/l2").symlink_to("b")


def _list_through_links(folder: Path) -> None:
    (folder / "s1/b/up").symlink_to("..")
    (folder / "list").write_text("l\nl/deep/c\nout/y\nb/up/x/keep\ndangling/c\na/b\n")


def _list_of_directories(folder: Path) -> None:
    (folder / "list").write_text("e\nb/\nx/keep\n")


def _across(folder: Path) -> None:
    os.link(folder / "s1/a", folder / "s2/also")


def _special(folder: Path) -> None:
    os.mkfifo(folder / "s1/fifo")
    (folder / "s1/b/deep").chmod(0o2755)
    (folder / "s1/a").chmod(0o4711)
    (folder / "s1/loop").symlink_to("loop")


def _empty_with_suffix(folder: Path) -> None:
    (folder / "s1/old~/deep").mkdir(parents=True)


def _almost_there(folder: Path) -> None:
    subprocess.run(["rsync", "-a", "s1/", "rsync/other/"], cwd=folder, check=True)
    for path in (folder / "rsync/other").glob("*"):
        if path.is_file():
            os.utime(path, (NOW, path.stat().st_mtime + 2), follow_symlinks=False)
    for path in (folder / "rsync/dest").glob("*"):
        if path.is_file():
            path.unlink()


def _others_in_the_place(folder: Path) -> None:
    """Nothing is missing in DEST, but everything is of another kind; all of it is in another directory."""
    os.mkfifo(folder / "s1/fifo")
    subprocess.run(["rsync", "-aH", "s1/", "rsync/other/"], cwd=folder, check=True)
    for name, by in (("l", "file"), ("dangling", "full"), ("fifo", "file"), ("a", "link"), ("e", "file")):
        replace(folder / "rsync/dest" / name, by=by)


def _nothing(folder: Path) -> None:
    pass


SITUATIONS: dict[str, tuple[Callable[[Path], None], str]] = {
    "sources with /./": (_nothing, "-aiR s1/./b/c s1/./x s1/./large"),
    "sources with several /./": (_nothing, "-aiR s1/./x s2/./z s1/./a"),
    "sources with several /./ and deletions": (_nothing, "-aiR --delete s2/./z/ s1/./b s1/x/./ s1/./a"),
    "with /./ and deletions": (_nothing, "-aiR --delete s1/./b"),
    "a directory and what is in it": (_nothing, "-ai s1/b s1/b/"),
    "two sources": (_nothing, "-ai --delete s1/x/ s2/z/ s1/e"),
    "a file and a directory of one name": (_nothing, "-ai s2/ s1/"),
    "a directory and a file of one name": (_nothing, "-ai s1/ s2/"),
    "a link with a slash": (_nothing, "-ai s1/l/"),
    "a link without a slash": (_nothing, "-ai s1/l s1/out"),
    "dots in paths": (_nothing, "-ai ./s1/../s2/z s1/b/."),
    "a link to a directory in the place of one": (lambda f: replace(f / "rsync/dest/b", by="link"), "-ai s1/"),
    "the same with deletions": (lambda f: replace(f / "rsync/dest/b", by="link"), "-ai --delete s1/"),
    "a full directory in the place of a file": (lambda f: replace(f / "rsync/dest/a", by="full"), "-ai s1/"),
    "the same, to be deleted": (lambda f: replace(f / "rsync/dest/a", by="full"), "-ai --delete s1/"),
    "the same, to be forced": (lambda f: replace(f / "rsync/dest/a", by="full"), "-ai --force s1/"),
    "the same, to be backed up": (lambda f: replace(f / "rsync/dest/a", by="empty"), "-aib s1/"),
    "a directory in the place of a link": (lambda f: replace(f / "rsync/dest/l", by="full"), "-ai --delete s1/"),
    "a file in the place of a directory": (lambda f: replace(f / "rsync/dest/b", by="file"), "-ai s1/"),
    "the same, to be kept": (lambda f: replace(f / "rsync/dest/b", by="file"), "-aib --backup-dir=../old s1/"),
    "the same, where nothing is made": (lambda f: replace(f / "rsync/dest/b", by="file"), "-ai --existing s1/"),
    "merge files": (_filters, "-aiF --delete s1/"),
    "merge files above a directory": (_filters_above, "-aiF s1/b"),
    "merge files above two directories": (_filters_above, "-aiF --delete s1/x s1/b"),
    "merge files of each source": (_filters_of_each, "-aiF --delete --no-i-r s1/ s2/"),
    "merge files of each source, by names": (_filters_of_each, "-aiF --no-i-r s1/ s2 s2/z"),
    "merge files above directories in several": (_filters_of_each, "-aiF --delete s1/b s2/z s1/x"),
    "merge files that come": (_filters_to_come, "-aiF --delete-after s1/"),
    "merge files that are excluded": (_filters, "-aiFF --delete --delete-excluded s1/"),
    "rules from a file": (_filters, "-ai --delete --exclude-from=rules s1/"),
    "protected, and the excluded deleted": (_nothing, "-ai --delete-excluded --filter=P_keep --exclude=*.o s1/"),
    "only some kinds of files": (_nothing, "-aim --delete --include=*/ --include=*.o --exclude=* s1/"),
    "a list with NULs": (_list, "-ai0r --files-from=list s1"),
    "a list with NULs and deletions": (_list, "-ai0r --delete --files-from=list s1/"),
    "listed links with a slash": (_list_of_links, "-ai --files-from=list s1"),
    "listed links that rules for directories exclude": (_list_of_links, "-ai --exclude=l/ --files-from=list s1"),
    "listed links to directories, and such rules": (_list_of_a_link, "-aik --exclude=l2/ --files-from=list s1"),
    "listed links to themselves": (_list_of_a_loop, "-ai --delete --files-from=list s1"),
    "listed paths through links, and all below": (_list_through_links, "-air --delete --files-from=list s1"),
    "a path through links": (_list_through_links, "-aiR s1/l/c s1/b/up/x s1"),
    "a path that leads up": (_nothing, "-aiR s1/b/../x"),
    "listed directories without files": (_list_of_directories, "-aim --delete --files-from=list s1"),
    "listed links, and all below": (_list_of_links, "-air --delete --files-from=list s1"),
    "backups beside": (_nothing, "-aib --suffix=.bak --delete s1/"),
    "backups elsewhere": (_nothing, "-ai --backup --backup-dir=../old --delete s1/"),
    "large files": (_nothing, "-ai --delete --max-size=1k s1/"),
    "what is there": (_nothing, "-ai --existing --delete s1/"),
    "what is not there": (_nothing, "-ai --ignore-existing s1/ s2/"),
    "neither": (_nothing, "-ai --existing --ignore-existing --delete s1/"),
    "newer ones": (_nothing, "-aiu s1/"),
    "by size": (_nothing, "-ai --size-only s1/"),
    "by contents": (_nothing, "-aic s1/"),
    "hard links across sources": (_across, "-aiH s1 s2"),
    "followed links": (_nothing, "-aiL s1/"),
    "followed links out": (_nothing, "-ai --copy-unsafe-links s1/"),
    "safe links": (_nothing, "-ai --safe-links --delete s1/"),
    "links to directories": (_nothing, "-aik s1/"),
    "special modes and files": (_special, "-ai s1/"),
    "a loop that is followed": (_special, "-aiL s1/"),
    "empty directories with the suffix of backups": (_empty_with_suffix, "-aimb s1/"),
    "the same, where files are deleted": (_empty_with_suffix, "-aimb --delete s1/"),
    "copies from elsewhere with another time": (_almost_there, "-ai -@5 --copy-dest=../other s1/"),
    "others in the place, with --link-dest": (_others_in_the_place, "-ai --delete --link-dest=../other s1/"),
    "others in the place, with --compare-dest": (_others_in_the_place, "-ai --delete --compare-dest=../other s1/"),
    "no slash": (_nothing, "-ai --delete s1"),
    "a file and a directory": (_nothing, "-ai s1/a s1/e s1/b/c"),
}  # fmt: skip


TRIED = list(SITUATIONS)[:: 1 if os.environ.get("MRSYNC_ALL_LINES") else 3]  # CI has no time for more
TRIED += [name for name in SITUATIONS if name.startswith(("merge files", "listed ")) and name not in TRIED]


@pytest.mark.parametrize("name", TRIED)
def test_a_situation_ends_as_with_rsync(folder: Path, name: str) -> None:
    prepare, line = SITUATIONS[name]
    prepare(folder)
    subprocess.run(["cp", "-a", "rsync", "mrsync"], cwd=folder, check=True)
    words = [word.replace("P_", "P ") for word in line.split()]
    found = differing(words, "dest/", folder, random.randrange(20000, 32000, 2), has_status=True)
    assert not found, found


def _usual(folder: Path) -> None:
    """Write files that lines name, and a directory for --link-dest."""
    (folder / "rules").write_text("# none\n\n*.o\n/extra\n+ keep\n; x\n- /x/\n")
    (folder / "rules0").write_text("*.o\0/x\0- keep\0")
    (folder / "incl").write_text("*/\n*.o\n+ keep\n")
    (folder / "list").write_text("b\nx/keep\n/a\n./e/\n#c\n\n")
    (folder / "list0").write_text("b/c\0x\0s1/a\0s2\0")
    (folder / "listmissing").write_text("b/c\ngone\nx/keep\n")
    (folder / "s1/.rsync-filter").write_text("- *.o\n- /x/hard\n")
    (folder / "s1/b/.cvsignore").write_text("c deep\n")
    subprocess.run(["rsync", "-aH", "s1/", "rsync/other/"], cwd=folder, check=True)
    for path in (folder / "s1/b", folder / "s1"):
        os.utime(path, (NOW, NOW))


USUAL = LINES.strip().splitlines()[:: 1 if os.environ.get("MRSYNC_ALL_LINES") else 60]


@pytest.mark.parametrize("line", USUAL)
def test_a_usual_command_line_has_the_effect_that_it_has_with_rsync(folder: Path, line: str) -> None:
    _usual(folder)
    subprocess.run(["cp", "-a", "rsync", "mrsync"], cwd=folder, check=True)
    dest, *words = shlex.split(line)
    found = differing(words, dest, folder, random.randrange(20000, 32000, 2), has_status=True)
    assert not found, found


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("setpriv") is None, reason="needs root and setpriv")
@pytest.mark.parametrize("line", ["-ai --delete --no-i-r s1/", "-ai s1/b s1/a"])
def test_unreadable_parts_are_reported_and_nothing_is_deleted(folder: Path, line: str) -> None:
    for name in ("s1/b/c", "s1/.hidden"):
        (folder / name).chmod(0)
    subprocess.run(["cp", "-a", "rsync", "mrsync"], cwd=folder, check=True)
    prefix = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]  # root without its powers over modes
    found = differing(line.split(), "dest/", folder, random.randrange(20000, 32000, 2), has_status=True, prefix=prefix)
    assert not found, found
