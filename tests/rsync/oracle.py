"""What rsync makes of a case, and what mrsync makes of it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

from mrsync.cli.settings.options import parse_mrsync
from mrsync.errors import MrsyncError
from tests.rsync.cases import Case, Tree
from tests.support.waiting import HANG_S
from tests.unit.tree.syncing import sync

BATCH = 16
OLD_NS = 10**18
NEW_NS = 11 * 10**17


def compare_all(cases: Iterable[Case], folder: Path) -> Iterator[str]:
    """What differs, by case; rsync spends its time waiting, so that many run at a time."""
    remaining = iter(cases)
    while batch := list(islice(remaining, BATCH)):
        for case in batch:
            build(case, folder / str(case.seed))
        with ThreadPoolExecutor(BATCH) as pool:
            results = list(pool.map(lambda case: run_rsync(case, folder / str(case.seed)), batch))
        for case, result in zip(batch, results, strict=True):
            if problems := compare(case, folder / str(case.seed), *result):
                yield "\n".join([describe(case), *problems])
            shutil.rmtree(os.fsencode(folder / str(case.seed)))


def compare(case: Case, folder: Path, status: int, stderr: str, expected: Tree) -> list[str]:
    """What differs once mrsync has run, too."""
    complaint, found = run_mrsync(case, folder)
    problems = []
    if (complaint != "") != (status != 0):
        problems = [f"rsync ended with {status}: {stderr}", f"mrsync complained: {complaint}"]
    if status not in (1, 11):  # a bad rule, or rules that are not there
        problems += differences(expected, found)
    return problems


def build(case: Case, folder: Path) -> None:
    """source, dest and a second copy of it in a folder, and the files of options beside."""
    folder.mkdir()
    root = os.fsencode(folder)
    _build_tree(case.source, root + b"/source", NEW_NS)
    _build_tree(case.dest, root + b"/rsync", OLD_NS)
    _build_tree(case.dest, root + b"/mrsync", OLD_NS)
    for name, data in case.files.items():
        with open(root + b"/" + name, "wb") as file:
            file.write(data)


def run_rsync(case: Case, folder: Path) -> tuple[int, str, Tree]:
    """Status, stderr and what the destination is afterwards."""
    command = [b"rsync", b"-a", b"--delete", *_options(case, folder), b"source/", b"rsync/"]
    done = subprocess.run(command, cwd=folder, capture_output=True, env=_environment(), timeout=HANG_S)
    return done.returncode, done.stderr.decode(errors="replace"), read_tree(os.fsencode(folder) + b"/rsync")


def run_mrsync(case: Case, folder: Path) -> tuple[str, Tree]:
    """Complaints, and what the destination is afterwards."""
    options = map(os.fsdecode, _options(case, folder))
    try:
        settings = parse_mrsync(["-m", "host", "-s", os.fspath(folder / "source"), *options])[0]
        outcome = sync(folder / "source", folder / "mrsync", policy=settings.policy, selection=settings.selection)
    except MrsyncError as error:
        return str(error), {}
    complaints = [failure.sentence for failure in [*outcome.scan.errors, *outcome.failures]]
    complaints += [f"sat out: {os.strerror(reason)}" for _, reason in outcome.sat_out]
    return "\n".join(complaints), read_tree(os.fsencode(folder) + b"/mrsync")


def read_tree(root: bytes) -> Tree:
    found: Tree = {}
    for path, directories, names in os.walk(root):
        for name in directories + names:
            full = path + b"/" + name
            key = full[len(root) + 1 :]
            if os.path.islink(full):
                found[key] = b"->" + os.readlink(full)
            elif os.path.isdir(full):
                found[key] = None
            else:
                with open(full, "rb") as file:
                    found[key] = file.read()
    return found


def differences(expected: Tree, found: Tree) -> list[str]:
    """Paths that are not as expected."""
    missing = object()
    return [
        f"{path!r}: rsync {expected.get(path, 'has none')!r}, mrsync {found.get(path, 'has none')!r}"
        for path in sorted({*expected, *found})
        if expected.get(path, missing) != found.get(path, missing)
    ]


def describe(case: Case) -> str:
    lines = [f"seed {case.seed}", f"options {case.options}"]
    for name, tree in (("source", case.source), ("dest", case.dest), ("files", case.files)):
        lines.append(f"{name}:")
        lines += [f"  {path!r}: {contents!r}" for path, contents in sorted(tree.items())]
    return "\n".join(lines)


def _build_tree(tree: Tree, root: bytes, time_ns: int) -> None:
    os.mkdir(root)
    for path in sorted(tree):
        full = root + b"/" + path
        contents = tree[path]
        if contents is None:
            os.mkdir(full)
        elif contents.startswith(b"->"):
            os.symlink(contents[2:], full)
        else:
            with open(full, "wb") as file:
                file.write(contents)
            os.utime(full, ns=(time_ns, time_ns))


def _options(case: Case, folder: Path) -> list[bytes]:
    """Files of options are named by @."""
    return [option.replace(b"@", os.fsencode(folder) + b"/") if b"@" in option else option for option in case.options]


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("CVSIGNORE", "RSYNC_OLD_ARGS")}
    return {**kept, "LC_ALL": "C"}
