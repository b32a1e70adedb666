"""Files that targets have in other directories already: --link-dest, --copy-dest, --compare-dest."""

from __future__ import annotations

import os
import shutil

import pytest

from tests.whole.site import Site


def fill(site: Site) -> None:
    """Make a source, and for each target yesterday's copy of it, from which one file differs."""
    site.source.mkdir()
    (site.source / "sub").mkdir()
    for name in ("same", "other", "sub/deep"):
        (site.source / name).write_text(name)
    for host in site.hosts:
        shutil.copytree(site.source, site.folder / f"yesterday-{host}", symlinks=True, copy_function=shutil.copy2)
        shutil.copystat(site.source / "sub", site.folder / f"yesterday-{host}/sub")
        (site.folder / f"yesterday-{host}/other").write_text("OTHER!")


@pytest.mark.parametrize("prefix", ["{}/yesterday-{{host}}", "../../yesterday-{{host}}"], ids=["absolute", "relative"])
def test_every_target_links_files_of_its_own_directory(site: Site, prefix: str) -> None:
    fill(site)
    ended = site.sync("--link-dest", prefix.format(site.folder))
    assert ended.status == 0, ended.stderr
    assert not any(site.all_differences().values())
    for host in site.hosts:
        yesterday = site.folder / f"yesterday-{host}"
        assert os.path.samefile(site.dest(host) / "same", yesterday / "same")
        assert os.path.samefile(site.dest(host) / "sub/deep", yesterday / "sub/deep")
        assert not os.path.samefile(site.dest(host) / "other", yesterday / "other")
    assert ended.report["bytes_planned"] == len("other")


def test_files_of_another_directory_are_copied(site: Site) -> None:
    fill(site)
    ended = site.sync("--copy-dest", site.folder / "yesterday-{host}")
    assert ended.status == 0, ended.stderr
    assert not any(site.all_differences().values())
    assert not os.path.samefile(site.dest("a") / "same", site.folder / "yesterday-a/same")
    assert ended.report["bytes_planned"] == len("other")


def test_a_dry_run_compares_with_other_directories_before_dest_is_there(site: Site) -> None:
    fill(site)
    ended = site.sync("--compare-dest", "../../yesterday-{host}", "-n", "-i")
    assert ended.status == 0, ended.stderr
    assert "a,b,c: >f.st...... other" in ended.stdout.splitlines()
    assert "same" not in ended.stdout
    assert not site.dest("a").exists()


def test_a_missing_directory_is_reported_and_not_used(site: Site) -> None:
    fill(site)
    shutil.rmtree(site.folder / "yesterday-b")
    shutil.rmtree(site.folder / "yesterday-c")
    (site.folder / "yesterday-c").touch()
    ended = site.sync("--link-dest", site.folder / "yesterday-{host}")
    assert ended.status == 0, ended.stderr
    assert "yesterday-b is not used: No such file or directory" in ended.stdout + ended.stderr
    assert "yesterday-c is not used: Not a directory" in ended.stdout + ended.stderr
    assert not any(site.all_differences().values())


def test_dest_itself_is_refused(site: Site) -> None:
    fill(site)
    for host in site.hosts:
        site.dest(host).mkdir()
        (site.dest(host) / "same").write_text("precious")
    ended = site.sync("--compare-dest", site.dest("{host}"))
    assert ended.status != 0
    assert "this is the destination itself" in ended.stdout + ended.stderr
    assert (site.dest("a") / "same").read_text() == "precious"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--link-dest=a", "--copy-dest=b"], "cannot be mixed"),
        ([f"--link-dest={number}" for number in range(21)], "more than 20 directories"),
    ],
)
def test_wrong_uses_are_refused(site: Site, options: list[str], sentence: str) -> None:
    fill(site)
    ended = site.sync(*options)
    assert ended.status == 1
    assert sentence in ended.stderr
