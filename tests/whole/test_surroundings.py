"""Targets and masters with little: few descriptors, no /proc."""

from __future__ import annotations

import os
import shutil

import pytest

from tests.trees import differences
from tests.whole.site import Site, write_files


@pytest.mark.parametrize("limit", ["48:48", "48:"])
def test_few_descriptors_are_enough(site: Site, limit: str) -> None:
    if shutil.which("prlimit") is None:
        pytest.skip("needs prlimit")
    for turn in range(80):
        (site.source / f"d{turn}").mkdir(parents=True)
        write_files(site.source / f"d{turn}", {"sub/file": 200_000})
    (site.source / "/".join(str(depth) for depth in range(100))).mkdir(parents=True)
    ended = site.sync(prefix=("prlimit", f"--nofile={limit}"))
    assert (ended.status, ended.stderr) == (0, "")
    assert site.all_differences() == {}


def test_everything_is_kept_without_proc(site: Site) -> None:
    if os.geteuid() or shutil.which("unshare") is None:
        pytest.skip("needs root and unshare")
    write_files(site.source, {"file": 1000, "d/inner": 10})
    (site.source / "link").symlink_to("file")
    os.mkfifo(site.source / "pipe", 0o641)
    os.chown(site.source / "d" / "inner", 5, 6)
    has_attributes = True
    try:
        os.setxattr(site.source / "file", "user.test", b"1")
    except OSError:
        has_attributes = False
    options = ("-D", "--xattrs", "--acls") if has_attributes else ("-D",)
    prefix = ("unshare", "-m", "sh", "-c", 'mount -t tmpfs none /proc && exec "$@"', "sh")
    for _ in range(2):
        ended = site.sync(*options, prefix=prefix)
        assert (ended.status, ended.stderr) == (0, "")
        for host in site.hosts:
            assert differences(site.source, site.dest(host), with_attributes=has_attributes) == []
        os.chown(site.source / "pipe", 7, 8)
        (site.source / "file").chmod(0o4711)
        os.utime(site.source / "link", ns=(0, 10**18), follow_symlinks=False)


def test_a_host_without_access_to_the_c_library_gets_an_exact_copy(site: Site) -> None:
    """Where SELinux denies memory that can be executed, `import ctypes` raises MemoryError."""
    write_files(site.source, {"file": 1000, "d/inner": 10})
    with (site.source / "sparse").open("wb") as sparse:
        sparse.truncate(1 << 20)
    site.dest("a").mkdir()
    (site.dest("a") / "sparse").write_bytes(os.urandom(1 << 20))
    (site.folder / "ctypes.py").write_text("raise MemoryError")
    prefix = ("env", f"PYTHONPATH={site.folder}")
    ended = site.sync("--inplace", "--sparse", "--durable", "--one-file-system", prefix=prefix)
    assert (ended.status, ended.stderr) == (0, "")
    assert site.all_differences() == {}
