"""What is left out of the source, and kept on targets, by the whole program; tests/rsync has the details."""

from __future__ import annotations

import os
from pathlib import Path

from tests.whole.site import Site


def fill(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)


def files(folder: Path) -> list[str]:
    return sorted(os.fspath(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())


def test_rules_select_and_protect(site: Site) -> None:
    fill(site.source, "a.c", "a.o", "d/b.c", "d/b.o", "d/tmp/c.c")
    (site.source / "d/.rules").write_text("- tmp/\n")
    for host in site.hosts:
        fill(site.dest(host), "old.c", "old.o", "gone/old.c", "gone/old.o")
    ended = site.sync("--filter", "-_*.o", "--filter=: .rules")
    assert (ended.status, ended.stderr) == (0, "")
    for host in site.hosts:
        assert files(site.dest(host)) == ["a.c", "d/.rules", "d/b.c", "gone/old.o", "old.o"]
    again = site.sync("--filter", "-_*.o", "--filter=: .rules")
    assert (again.status, again.report["files_planned"]) == (0, 0)
    ended = site.sync("--exclude=*.o", "--delete-excluded")
    assert ended.status == 0
    assert files(site.dest("b")) == ["a.c", "d/.rules", "d/b.c", "d/tmp/c.c"]


def test_bad_rules_are_one_sentence(site: Site) -> None:
    fill(site.source, "a", "d/.rules")
    (site.source / "d/.rules").write_text("\nsome nonsense\n")
    ended = site.sync("--filter=: .rules")
    assert ended.status == 1
    assert ended.stderr == f"mrsync: {site.source}/d/.rules, line 2: unknown filter rule\n"
    assert files(site.folder / "dest") == []
    ended = site.sync("--filter=q")
    assert (ended.status, ended.stderr) == (1, "mrsync: --filter: unknown filter rule 'q'\n")
    ended = site.sync("--exclude-from=/nowhere")
    assert (ended.status, ended.stderr) == (
        11,
        "mrsync: cannot read the rules in /nowhere: No such file or directory\n",
    )


def test_files_from_a_list(site: Site) -> None:
    fill(site.source, "a", "d/1", "d/2", "d/e/3", "x")
    for host in site.hosts:
        fill(site.dest(host), "d/old", "d/e/old", "old")
    (site.folder / "list").write_text("# these\nd/e/\nd/1\nnowhere\n")
    ended = site.sync("--files-from", site.folder / "list")
    assert ended.status == 23
    assert "cannot find nowhere: No such file or directory" in ended.stderr
    for host in site.hosts:
        assert files(site.dest(host)) == ["d/1", "d/e/3", "d/old", "old"]
    (site.folder / "list").write_bytes(b"d\0")
    ended = site.sync("-0", "--recursive", "--files-from", site.folder / "list", "--exclude=2")
    assert (ended.status, ended.stderr) == (0, "")
    assert files(site.dest("c")) == ["d/1", "d/e/3", "old"]
    ended = site.sync("--files-from=/nowhere")
    assert (ended.status, ended.stderr) == (
        11,
        "mrsync: cannot read --files-from /nowhere: No such file or directory\n",
    )


def test_files_outside_the_size_limits_are_not_sent(site: Site) -> None:
    site.source.mkdir()
    for size in (1, 1000, 1001, 2000):
        (site.source / str(size)).write_bytes(b"x" * size)
    fill(site.dest("a"), "2000", "old")
    ended = site.sync("--max-size=1kb", "--min-size=2")
    assert ended.status == 0
    assert (files(site.dest("a")), files(site.dest("b"))) == (["1000", "2000"], ["1000"])
    ended = site.sync("--max-size=1kb+1", "-n")
    assert ended.report["files_planned"] == 2
    assert site.sync("--max-size=huge").status == 1
