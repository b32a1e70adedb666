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
    assert ended.stderr == f"mrsync: {site.source}/d/.rules, line 2: unknown filter rule 'some nonsense'\n"
    assert files(site.folder / "dest") == []
    ended = site.sync("--filter=q")
    assert (ended.status, ended.stderr) == (1, "mrsync: --filter: unknown filter rule 'q'\n")
    ended = site.sync("--exclude-from=/nowhere")
    assert (ended.status, ended.stderr) == (
        11,
        "mrsync: cannot read the rules in /nowhere: No such file or directory\n",
    )
