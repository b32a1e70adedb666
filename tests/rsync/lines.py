"""Random lines of rsync with random trees, each drawn from one seed, run by both programs."""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.rsync.differences import differing
from tests.rsync.outcomes import NOW

NAMES = ("a", "b", "c.o", "d.txt", "sub", "two words", "-dash", "x~")
OPTIONS = (
    (0.9, ("-a",)),
    (0.3, ("-H",)),
    (0.4, ("--delete", "--delete-after", "--del", "--delete-excluded", "--delete-before")),
    (0.15, ("-c", "--checksum")),
    (0.15, ("-u", "--update")),
    (0.15, ("--size-only", "-I", "--ignore-times")),
    (0.1, ("--existing", "--ignore-existing", "--ignore-non-existing")),
    (0.1, ("-O", "--omit-dir-times")),
    (0.15, ("-m", "--prune-empty-dirs")),
    (0.1, ("-x", "-S", "-v", "-W", "-z", "-h", "--no-i-r", "--stats", "--partial", "-P")),
    (0.2, ("-b", "--backup", "--backup --suffix=.old", "-b --backup-dir=.old")),
    (0.15, ("--max-size=2", "--min-size=2", "--max-size=1k")),
    (0.15, ("--chmod=go-w", "--chmod=Du+w,Fgo-rwx", "--chmod=a+X")),
    (0.1, ("--chown=1:2", "--chown=:3", "--numeric-ids")),
    (0.15, ("--max-delete=1", "--max-delete=0", "--ignore-errors")),
    (0.2, ("--exclude=*.o", "--exclude=/sub", "--exclude=sub/", "--exclude=/s1/a")),
    (0.1, ("--include=*.txt --exclude=*", "-C")),
    (0.1, ("--modify-window=1", "--modify-window=-1", "-@2")),
    (0.2, ("-L", "-k", "--safe-links", "--copy-unsafe-links")),
    (0.1, ("-n", "--dry-run")),
    (0.1, ("--mkpath", "--ignore-missing-args")),
    (0.1, ("--no-H", "--no-D", "-D", "-X", "-A")),
)  # fmt: skip
# Drawn after all others, so that seeds keep their meaning when one is added.
MORE_OPTIONS = (
    (0.05, ("--link-dest=../other", "--link-dest=no --link-dest=../other")),
    (0.02, ("--link-dest=../other --link-dest=../../s1",)),
    (0.08, ("--copy-dest=../other", "--compare-dest=../other")),
)  # fmt: skip
# Drawn after those, for the same reason.
NEWEST_OPTIONS = (
    (0.15, ("-K -O",)),
    (0.1, ("--delete-missing-args",)),
    (0.12, ("--usermap=1:2,*:1000", "--usermap=0-1:33 --groupmap=:5", "--groupmap=*:7", "--usermap=daemon:0,[!d]*:1")),
    (0.08, ("--out-format=%i|%n%L",)),
    (0.08, ("--info=progress2", "--info=name0", "--info=stats2,del", "-hh", "--no-h")),
    (0.08, ("--preallocate", "--partial-dir=.partial", "--stop-after=60", "--stop-at=2099-12-31T23:59")),
    (0.04, ("--rsync-path=rsync",)),
)  # fmt: skip
# Drawn after those. TMP stands for a directory of each program: rsync 3.5 makes nothing in what has .. on its way.
LATEST_OPTIONS = (
    (0.12, ("--inplace", "--inplace --no-W")),
    (0.12, ("-T TMP", "--temp-dir=TMP")),
    (0.03, ("--debug=all",)),
)
# Drawn after those. Each needs files of its own: rules, a list, merge files, or fifos.
RULE_OPTIONS = (
    (0.1, ("--exclude-from=rules", "--include-from=rules --exclude=*", "--filter=._rules", "-f._rules")),
    (0.1, ("--filter=-_*.o", "-fP_extra*", "--filter=R_x~", "-fH_sub", "--filter=-s_/a", "--filter=-!_*/", "-f!")),
    (0.12, ("-F", "-FF", "--filter=:_.rsync-filter", "-f:-_.rsync-filter", "--filter=:e_.rsync-filter")),
    (0.06, ("--files-from=list", "-0 --files-from=list0", "-r --files-from=list")),
    (0.06, ("--no-D", "--specials", "--no-specials", "--no-D --specials", "--devices")),
    (0.06, ("--backup-dir=../old", "--backup-dir=old/deep --suffix=.b", "-b --backup-dir=sub", "-b --suffix=.o")),
    (0.06, ("--min-size=1 --max-size=1k", "--max-size=3-1", "--max-size=0", "--min-size=2KB", "--max-size=1.5b")),
    (
        0.06,
        ("--chmod=D2755,F640", "--chmod=ug=rwX,o=", "--chmod=Fa-x,Dg+s", "--chmod=u+s", "--chmod=777", "--chmod=-w"),
    ),
    (0.06, ("--compare-dest=../other --compare-dest=no", "--copy-dest=no --copy-dest=../other")),
    (0.05, ("--no-H", "--no-i-r", "--no-c", "--no-S", "--no-O", "--no-x", "--no-X", "--no-A")),
    (0.05, ("--bwlimit=0", "--timeout=60", "--fsync", "--no-motd", "-s", "--old-args", "--super", "--blocking-io")),
    (0.05, ("-z --zc=zlib", "--zl=9", "--new-compress", "--skip-compress=gz", "--no-z", "--trust-sender")),
    (0.05, ("-xx", "-hhh", "--delete-delay", "--delete-during", "--max-delete=-1", "--max-delete=2")),
)
# Drawn after those: options that change little or nothing, but for what is printed.
PLAIN_OPTIONS = (
    (0.08, ("-q", "--progress", "--no-progress", "--log-file=log", "--no-v", "--stderr=errors", "--outbuf=L")),
    (0.08, ("--cc=md5", "--checksum-seed=1", "-B700", "--block-size=700", "--max-alloc=1g", "--zt=2", "--force")),
    (0.08, ("-l", "-p", "-E", "-t", "-o", "-g", "--i-r", "--no-s", "--no-d", "--no-msgs2stderr", "-8", "--no-8")),
    (0.05, ("--no-bwlimit", "--no-timeout", "--time-limit=60", "--no-append", "--no-fuzzy", "--no-U", "--no-J")),
    (0.05, ("--no-delay-updates", "--no-munge-links", "--no-iconv", "--no-contimeout", "--no-N", "--i-d", "--no-R")),
)
# Drawn after those, and put behind all others, as -a takes back what stands before it.
KEEPING_OPTIONS = (
    (0.1, ("--no-o", "--no-g", "--no-owner --no-group", "--no-o --no-g --no-p")),
    (0.1, ("--no-p", "--no-perms -E", "--no-p --chmod=F640")),
    (0.05, ("--no-l", "--no-links")),
    (0.05, ("-J", "--omit-link-times")),
    (0.05, ("--delay-updates",)),
)
# Names that programs escape, or take for patterns or options. One of them takes the place of a usual name.
ODD_NAMES = (
    "new\nline",
    "back\\slash",
    "\\#012",
    "caf\udce9",
    "été",
    "*",
    "[ab]",
    ".hidden",
    "-n",
    "\ttab",
    "%n",
    "a:b",
)
ODD_TIMES = (0, -1, 2**31 + 5, 2**33)
# Other words for the same SOURCE.
SPELLINGS = {"s1/": ("./s1/", "s1//", "s2/../s1/", "s1/./."), "s1": ("./s1", "s2/../s1"), "s2/": ("s2//", "./s2/.")}
# What changes attributes of directories, which rsync fails to set through a kept link, or deletes what it leads to.
NOT_WITH_KEPT_LINKS = re.compile("--(del|chmod|chown|usermap|groupmap|backup)|-[a-zA-Z]*[bL]")
RULES = (
    "- *.o",
    "+ sub/",
    "- /a",
    "- x~",
    "- sub/a",
    "+ *",
    "- /sub/**",
    "-! *.txt",
    "- two*",
    "+ b",
    "H d.txt",
    "P extra*",
)
SOURCES = ("s1/", "s1", "s2/", "s2", "s1/sub", "s1/sub/", "s1/a", "s2/b", "f", "s1/.", "missing")


@dataclass
class Line:
    """A command line: words before DEST.

    entries: by path what is there: contents, mode, time, owner. files: contents of those with rules or names. changes,
    other_changes: what happens to which path of DEST, and of the directory beside it that --link-dest names.
    link_changes: which directories of DEST get another name, with a link in their place. nanoseconds: of all times.
    attributes: extended attributes and ACLs, by path: (name, value). spellings: other words for SOURCEs.
    """

    seed: int
    words: list[str] = field(default_factory=list)
    entries: dict[str, tuple[str | None, int, int, int]] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    changes: list[tuple[str, str]] = field(default_factory=list)
    other_changes: list[tuple[str, str]] = field(default_factory=list)
    link_changes: list[str] = field(default_factory=list)
    nanoseconds: int = 0
    attributes: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    spellings: dict[str, str] = field(default_factory=dict)
    dest: str = "dest/"
    has_dest: bool = True


def draw_line(seed: int) -> Line:
    """Return the line of a seed."""
    chance = random.Random(f"line {seed}")
    line = Line(seed)
    for top in ("s1", "s2"):
        _draw_tree(line, chance, top, chance.randrange(3, 14))
    line.entries["f"] = ("of its own", 0o640, NOW + chance.randrange(5), 0)
    words = ["-i"]
    for probability, choices in OPTIONS:
        if chance.random() < probability:
            words += chance.choice(choices).split()
    if not any(word in ("-a",) for word in words):
        words.append("-rlptgo")
    sources = chance.sample(SOURCES, chance.choice((1, 1, 1, 2, 2, 3)))
    if chance.random() < 0.12:
        words = ["-R", *(word for word in words if word not in ("-m", "--prune-empty-dirs"))]
        sources = [source for source in sources if source != "missing"] or ["s1"]
    sources = [source for source in sources if source == "missing" or source.rstrip("/.") in line.entries]
    if "missing" in sources or not sources:
        sources.append("s1/")
    if "-m" in words or "--prune-empty-dirs" in words:  # rsync prunes no directory that it finds twice
        sources = [source for source in dict.fromkeys(sources) if source != "s1/." or "s1/" not in sources]
    chance.shuffle(words)
    line.words = [*_combined(words, chance), *sources]
    line.has_dest = chance.random() < 0.85
    is_file = sources in (["f"], ["s1/a"], ["s2/b"])
    line.dest = chance.choice(("dest/", "dest", "dest/name", "dest")) if is_file else chance.choice(("dest/", "dest"))
    if not line.has_dest:
        # rsync makes DEST ahead of the transfer then, and itemizes it as one that was there
        line.words = [word for word in line.words if word != "--mkpath"]
    if not line.has_dest and (not is_file or "-R" in words):
        line.dest = "dest/"  # rsync gives a single empty directory the name DEST
    if line.dest == "dest/name":
        line.has_dest = True
    more = random.Random(f"more {seed}")
    newest, latest = random.Random(f"newest {seed}"), random.Random(f"latest {seed}")
    added = _drawn(more, MORE_OPTIONS)
    if len({word.partition("=")[0] for word in added if "-dest=" in word}) > 1:
        added = [word for word in added if "-dest=" not in word]  # rsync does not mix them
    if re.search(r"(^| )-[a-zA-Z]*H", " ".join(line.words)):  # rsync decides about whole groups
        added = [word for word in added if not word.startswith("--compare-dest")]
    if any(re.match("--(link|compare)-dest", word) for word in added):  # rsync keeps no backup of what these replace
        line.words = [word for word in map(_without_backup, line.words) if word]
    line.words = [*_newest(newest, line.words), *added, *line.words]
    line.words = [*_drawn(latest, LATEST_OPTIONS), *line.words]
    _add_rules(line, random.Random(f"rules {seed}"))
    if "--inplace" in line.words:  # rsync does not mix them
        line.words = [word for word in line.words if not word.startswith("--partial-dir")]
    if "--delete-missing-args" in line.words and "-R" not in words and "missing" not in sources:
        line.words.append("missing")
    kinds = ("remove", "contents", "time", "mode", "extra", "extra", "extra directory", "newer", "swap")
    line.changes = [(chance.choice(kinds), str(chance.randrange(1000))) for _ in range(chance.randrange(9))]
    line.link_changes = [str(newest.randrange(1000)) for _ in range(newest.randrange(3))] if "-K" in line.words else []
    line.other_changes = [(more.choice(kinds), str(more.randrange(1000))) for _ in range(more.randrange(9))]
    _make_odd(line, random.Random(f"odd {seed}"))
    _keep_less(line, random.Random(f"keeping {seed}"))
    return line


def _keep_less(line: Line, chance: random.Random) -> None:
    """Add options that say what is not preserved."""
    added = _drawn(chance, KEEPING_OPTIONS)
    words = " ".join(line.words)
    if "-a" in line.words and chance.random() < 0.1 and not re.search("--chown|map=", words):
        line.words[line.words.index("-a")] = chance.choice(("-rlt", "-rtD", "-rlpt", "-rtp", "-rltog"))
    if re.search(r"--chmod=\S*s|(^| )-[a-zA-Z]*A", words):  # no set-ID bits of strangers; ACLs bring modes with them
        added = [word for word in added if word not in ("--no-p", "--no-perms", "--no-o", "--no-g", "--no-owner")]
    if re.search("--chown|map=", words):  # these count nevertheless
        added = [word for word in added if word not in ("--no-o", "--no-g", "--no-owner", "--no-group")]
    if re.search("--inplace|--partial-dir", words):  # rsync does not mix them, or gives the file to another owner
        added = [word for word in added if word in ("--no-l", "--no-links", "-J")]
    if re.search("--chown|--chmod|map=", words):  # what is made anew for these is known by its line only
        line.words = [word for word in line.words if word != "-q"]
    if "--del" in words:  # rsync deletes its own backups, and backs them up again
        line.words = [word.replace("-dir=.old", "-dir=../old") for word in line.words]
    sources = [word for word in line.words if word in SOURCES]
    line.words = [*(word for word in line.words if word not in SOURCES), *added, *sources]


def _make_odd(line: Line, chance: random.Random) -> None:
    """Add options that change little, and give some entries odd names, times, sizes and attributes."""
    line.words = [*_drawn(chance, PLAIN_OPTIONS), *line.words]
    if chance.random() < 0.25:
        usual, odd = chance.choice(("c.o", "two words", "x~", "d.txt")), chance.choice(ODD_NAMES)
        line.entries = {path.replace(f"/{usual}", f"/{odd}"): entry for path, entry in line.entries.items()}
        line.files = {path.replace(f"/{usual}", f"/{odd}"): text for path, text in line.files.items()}
    if chance.random() < 0.25:
        line.nanoseconds = chance.randrange(10**9)
    paths = [path for path, entry in line.entries.items() if entry[0] not in ("=>", "|")]
    for path in chance.sample(paths, 2) if chance.random() < 0.3 else ():
        contents, mode, time, owner = line.entries[path]
        if contents and not contents.startswith("->"):
            contents *= chance.choice((1, 100, 40_000))
        line.entries[path] = (contents, mode, chance.choice((time, *ODD_TIMES)), owner)
    words = " ".join(line.words)
    wants = re.findall(r"(?:^|\s)-[a-zA-Z]*([XA])", words)
    if "-K" in line.words:  # rsync cannot set any through a kept link
        wants = []
    if re.search("map=|--chown", words):  # rsync gives users in ACLs to others, too
        wants = [each for each in wants if each == "X"]
    for path in chance.sample(paths, 2) if wants else ():
        if (contents := line.entries[path][0]) is None or not contents.startswith("->"):
            acl = bytes.fromhex(
                "0200000001000600ffffffff0200060001000000040004 00ffffffff10000600ffffffff20000400ffffffff"
            )
            line.attributes[path] = ("system.posix_acl_access", acl) if wants[0] == "A" else ("user.color", b"red")
    if chance.random() < 0.2:
        line.spellings = {word: chance.choice(spelled) for word, spelled in SPELLINGS.items()}
    if re.search(r"(?:^|\s)-[a-zA-Z]*R", words) and len([word for word in line.words if word in SOURCES]) > 1:
        # mrsync wants one name behind the /./ of several SOURCEs
        line.spellings = {word: spelled for word, spelled in line.spellings.items() if "/./" not in spelled}


def _drawn(chance: random.Random, options: Iterable[tuple[float, Sequence[str]]]) -> list[str]:
    """Return the words of some of these options: (probability, choices)."""
    return [word for each, choices in options if chance.random() < each for word in chance.choice(choices).split()]


def _newest(chance: random.Random, words: list[str]) -> list[str]:
    """Return more options that go with these words."""
    added = _drawn(chance, NEWEST_OPTIONS)
    if any(word.startswith("--chown") for word in words):  # rsync does not mix them
        added = [word for word in added if "map=" not in word]
    if any(NOT_WITH_KEPT_LINKS.match(word) for word in (*words, *added)):
        added = [word for word in added if word not in ("-K", "-O")]
    return added


def _add_rules(line: Line, chance: random.Random) -> None:
    """Add options of RULE_OPTIONS that go with the line's words, and the files that they need."""
    added = _drawn(chance, RULE_OPTIONS)
    words = " ".join(line.words)
    if "-dest=" in words or "ackup" in words or re.search(r"(^| )-[a-zA-Z]*b", words):
        added = [word for word in added if "-dest=" not in word]  # rsync does not mix them
    if re.search(r"(^| )-[a-zA-Z]*H", words):  # rsync decides about whole groups
        added = [word for word in added if not word.startswith("--compare-dest")]
    if any(re.match("--(link|compare)-dest", word) for word in (*line.words, *added)):
        added = [word for word in added if not re.match("-b$|--backup|--suffix", word)]
    if any(word.startswith("--del") for word in (*line.words, *added)):  # rsync deletes or backs up its own backups
        added = [word for word in added if word != "--backup-dir=sub"]
    if "-K" in line.words and any(NOT_WITH_KEPT_LINKS.match(word) for word in added):
        return
    if any(word.endswith(("list", "list0")) for word in added):
        if "--delete-missing-args" in words or re.search(r"(^| )-[a-zA-Z]*R", words):
            return
        line.words = [*(word for word in line.words if word not in SOURCES), "s1/"]
        line.dest, line.has_dest = "dest/", True
        listed = [path.removeprefix("s1/") for path in line.entries if path.startswith("s1/")]
        listed = [path + "/" * chance.randrange(2) for path in chance.sample(listed, min(len(listed), 4))]
        line.files["list"], line.files["list0"] = "\n".join([*listed, ""]), "\0".join([*listed, ""])
    line.files["rules"] = "\n".join([*chance.sample(RULES, 2), ""])
    if any(word.endswith("filter") or re.fullmatch("-F+", word) for word in added):
        if sum(word in SOURCES for word in line.words) > 1:  # rsync applies merge files of one SOURCE to others
            added = ["--no-i-r", *(word for word in added if not re.fullmatch("-F+", word))]
        directories = ["", *(f"{path}/" for path, entry in line.entries.items() if entry[0] is None)]
        for directory in chance.sample(directories, min(len(directories), 3)):
            rules = chance.sample(RULES, chance.randrange(3))
            line.files[f"{directory}.rsync-filter"] = "\n".join([*rules, ""])
    line.words = [*added, *line.words]
    if any("specials" in word or "-D" in word for word in added):
        for path in ("s1/fifo", "s2/fifo"):
            line.entries[path] = ("|", 0o640, NOW, 0)


def _without_backup(word: str) -> str:
    """Return an option without -b or --backup, empty if nothing is left of it."""
    if re.fullmatch("-[a-zA-Z]+", word):
        word = word.replace("b", "")
    return "" if word in ("-", "--backup") or word.startswith(("--backup-dir", "--suffix")) else word


def _combined(words: list[str], chance: random.Random) -> Iterator[str]:
    """Letters now and then in one word."""
    letters = ""
    for word in words:
        if re.fullmatch(r"-[a-zA-Z]+", word) and chance.random() < 0.6:
            letters += word[1:]
        else:
            yield word
    if letters:
        yield f"-{letters}"


def _draw_tree(line: Line, chance: random.Random, top: str, count: int) -> None:
    directories = [top]
    line.entries[top] = (None, 0o755, NOW - chance.randrange(9), 0)
    for _ in range(count):
        path = f"{chance.choice(directories)}/{chance.choice(NAMES)}"
        if path in line.entries:
            continue
        time, owner = NOW + chance.randrange(10), chance.choice((0, 0, 1, 1000))
        roll = chance.random()
        if path.endswith("/sub") or roll < 0.2:
            line.entries[path] = (None, chance.choice((0o755, 0o700, 0o777)), time, owner)
            directories.append(path)
        elif roll < 0.35:
            goal = chance.choice(("a", "sub", "../f", "/etc/hostname", "nowhere", "sub/../a", "../../f"))
            line.entries[path] = (f"->{goal}", 0o777, time, owner)
        elif roll < 0.42:
            line.entries[path] = ("=>", 0o644, time, owner)
        else:
            contents = chance.choice(("", "1", "22", "333", "x" * 2000))
            line.entries[path] = (contents, chance.choice((0o644, 0o600, 0o755, 0o666)), time, owner)


def build(line: Line, folder: Path) -> None:
    """Make sources and two equal destinations, rsync/dest and mrsync/dest, in an empty folder."""
    files: list[Path] = []
    for path, (contents, _, _, _) in line.entries.items():
        place = folder / path
        if contents is None:
            place.mkdir(exist_ok=True)
        elif contents == "=>" and files:
            os.link(files[-1], place)
        elif contents.startswith("->"):
            place.symlink_to(contents[2:])
        elif contents == "|":
            os.mkfifo(place)
        else:
            place.write_text(contents)
            files.append(place)
    for path, text in line.files.items():
        (folder / path).write_text(text)
        os.utime(folder / path, (NOW, NOW))
    for path, (name, value) in line.attributes.items():
        os.setxattr(folder / path, name, value)
    for path, (_, mode, time, owner) in reversed(line.entries.items()):
        _dress(folder / path, mode, time * 10**9 + line.nanoseconds, owner)
    for name in ("rsync", "mrsync"):
        (folder / name).mkdir()
        if any("TMP" in word for word in line.words):
            (folder / name / "tmp").mkdir()
    if line.has_dest:
        _build_copies(line, folder, "dest", [*line.changes, *(("link", number) for number in line.link_changes)])
    if any(word.endswith("-dest=../other") for word in line.words):
        _build_copies(line, folder, "other", line.other_changes)


def _build_copies(line: Line, folder: Path, name: str, changes: Iterable[tuple[str, str]]) -> None:
    """Make a directory for each program that has most of what is in the sources."""
    copy = folder / "rsync" / name
    copy.mkdir()
    operands = [word for word in line.words if word in SOURCES and word != "missing"]
    kept = "-aH" if any("H" in word for word in line.words if re.fullmatch("-[a-zA-Z]+", word)) else "-a"
    kept += "R" * any("R" in word for word in line.words if re.fullmatch("-[a-zA-Z]+", word))
    subprocess.run(["rsync", kept, *operands, f"{copy}/"], cwd=folder, capture_output=True, check=False)
    for kind, number in changes:
        _change(copy, kind, int(number))
    if "--delete-missing-args" in line.words and not any(copy.glob("missing")):
        (copy / "missing").mkdir() if line.seed % 3 else (copy / "missing").touch()
        if line.seed % 3 == 2:
            (copy / "missing/in it").touch()
    subprocess.run(["rsync", "-aH", f"rsync/{name}", "mrsync/"], cwd=folder, check=True)


def _dress(path: Path, mode: int, time_ns: int, owner: int) -> None:
    if os.geteuid() == 0:
        os.chown(path, owner, owner, follow_symlinks=False)
    if not path.is_symlink():
        path.chmod(mode)
    os.utime(path, ns=(time_ns, time_ns), follow_symlinks=False)


def _change(dest: Path, kind: str, number: int) -> None:
    """Change one of what is in DEST, which its number tells."""
    paths = sorted(path for path in dest.rglob("*"))
    directories = [dest, *(path for path in paths if path.is_dir() and not path.is_symlink())]
    above = directories[number % len(directories)]
    if kind == "extra" and not (above / f"extra{number}").exists():
        (above / f"extra{number}").write_text("extra")
    elif kind == "extra directory" and not (above / f"more{number}").exists():
        (above / f"more{number}").mkdir()
        (above / f"more{number}" / "x~").write_text("in it")
    elif kind == "link" and above != dest and not above.with_name(f"{above.name}.real").exists():
        above.rename(above.with_name(f"{above.name}.real"))
        above.symlink_to(f"{above.name}.real")
    files = [path for path in paths if path.is_file() and not path.is_symlink() and path.name != ".rsync-filter"]
    if not files or kind.startswith(("extra", "link")):
        return
    path = files[number % len(files)]
    time = path.stat().st_mtime
    if kind == "remove":
        path.unlink()
    elif kind == "contents":
        path.write_text("changed" if number % 2 else "9" * path.stat().st_size)
        os.utime(path, (time, time))
    elif kind in ("time", "newer"):
        time += 100 if kind == "newer" else -1 - number % 3
        os.utime(path, (time, time))
    elif kind == "mode":
        path.chmod(0o640)
    elif kind == "swap":
        path.unlink()
        path.mkdir()


def run_both(line: Line, folder: Path, port: int) -> str:
    """Return what differs, empty if nothing does."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    build(line, folder)
    words = [line.spellings.get(word, word) for word in line.words]
    found = differing(words, line.dest, folder, port)
    return f"seed {line.seed}: {found}" if found else ""
