"""Protections, each with a change that removes it and a test that must fail then."""

from __future__ import annotations

from typing import NamedTuple


class Removal(NamedTuple):
    """A piece of a file below src/mrsync, what takes its place, and the test that finds it, below tests."""

    what: str
    file: str
    piece: str
    instead: str
    test: str


REMOVALS = (
    Removal(
        "messages that decide for all targets need the master's signature",
        "wire/formats/session.py",
        "if self._verifier is not None and not self._verifier.is_signed(context + body, signature):",
        "if False:",
        "unit/wire/formats/test_session.py::test_no_member_makes_a_status",
    ),
    Removal(
        "PROBE is signed",
        "wire/formats/session.py",
        "_SIGNED = (Kind.STATUS, Kind.DIGESTS, Kind.PROBE)",
        "_SIGNED = (Kind.STATUS, Kind.DIGESTS)",
        "unit/wire/formats/test_session.py::test_no_member_makes_a_probe",
    ),
    Removal(
        "each target's messages are sealed by its own key",
        "wire/formats/session.py",
        "if self._own is None or kind not in (*_FROM_ONE, *_TO_ONE):",
        "if True:",
        "unit/wire/formats/test_session.py",
    ),
    Removal(
        "a signature has one form",
        "wire/seals/ed25519.py",
        "if scalar >= _ORDER:",
        "if False:",
        "unit/wire/seals/test_signing.py::test_a_signature_has_one_form_only",
    ),
    Removal(
        "a page is written only if the master signed its digest",
        "transport/verifying.py",
        "if compare_digest(self._waiting[key].digest, expected):",
        "if True:",
        "loopback/test_member.py",
    ),
    Removal(
        "names and contents are changed only below DEST",
        "run/sandbox.py",
        "        self._restrict(rights, rules)\n",
        "",
        "unit/run/test_sandbox.py",
    ),
    Removal(
        "no program is run",
        "run/sandbox.py",
        "self._restrict(_EXECUTE | _REFER, [(_REFER, root)])",
        "pass",
        "unit/run/test_sandbox.py::test_no_program_is_run",
    ),
    Removal(
        "core dumps are off",
        "run/sandbox.py",
        "        self._libc.prctl(_SET_DUMPABLE, 0, 0, 0, 0)\n",
        "",
        "unit/run/test_sandbox.py::test_no_core_is_dumped_and_no_right_is_gained",
    ),
    Removal(
        "root's capabilities are dropped",
        "run/sandbox.py",
        "            data[3 * word + 1] &= mask\n",
        "",
        "unit/run/test_sandbox.py::test_root_keeps_only_rights_about_files",
    ),
    Removal(
        "an incomplete sandbox is reported",
        "run/sandbox.py",
        '                    self._note("add a Landlock rule")\n',
        "",
        "unit/run/test_sandbox.py::test_a_rule_that_cannot_be_added_is_reported",
    ),
    Removal(
        "verify finds a flipped bit",
        "tree/record/reading.py",
        "        return compare_digest(hashlib.sha256(data).digest(), part.proof)\n",
        "        return True\n",
        "unit/tree/record/test_record.py",
    ),
    Removal(
        "verify finds data in a hole",
        "tree/record/reading.py",
        "if file.extents and portion.first == 0 and not _has_empty_holes(fd, size, file):",
        "if False:",
        "unit/tree/record/test_record.py",
    ),
    Removal(
        "only their owner can change records",
        "tree/record/store.py",
        "if may_others_write(os.fstat(self.fd)):",
        "if False:",
        "unit/tree/record/test_store.py",
    ),
    Removal(
        "only what was staged is renamed into place",
        "tree/staging/staged_files.py",
        "        if not self._is_untouched(file, status):\n            raise replaced_error()\n",
        "",
        "unit/tree/staging",
    ),
    Removal(
        "the journal of another session is not used",
        "tree/staging/journal_reader.py",
        "if unpacker.blob() != tag or unpacker.blob() != itself:",
        "if (unpacker.blob(), unpacker.blob()) == ():",
        "unit/tree/staging",
    ),
    Removal(
        "contents are on disk before the rename (--durable)",
        "run/catch/jobs.py",
        "failures = self._flush(self._activity)\n",
        "failures: list[Failure] = []\n",
        "unit/tree/staging/test_durability.py",
    ),
    Removal(
        "stars in patterns cause no backtracking",
        "tree/lists/shell_patterns.py",
        'f"(?>.*?{piece})"',
        'f".*{piece}"',
        "unit/tree/lists/test_shell_patterns.py::test_many_stars_take_no_time",
    ),
    Removal(
        "a target that claims to work for ever is given up",
        "protocol/targets/patience.py",
        "        return self.waited_s > patience.budget_s",
        "        return False",
        "unit/protocol/targets/test_patience.py",
    ),
    Removal(
        "a target that reports the impossible is ended",
        "protocol/core/plausibility.py",
        "return self._follows(record) and all(bounds.are_files(*pair) for pair in record.ranges)",
        "return True",
        "unit/protocol/core/test_plausibility.py",
    ),
    Removal(
        "the log of a target has limits",
        "protocol/core/plausibility.py",
        "return self._counts.empty <= EMPTY_MAX",
        "return True",
        "unit/protocol/core/test_plausibility.py::test_no_log_goes_on_for_ever",
    ),
    Removal(
        "the receive buffer of a target that has left does not count",
        "protocol/sending/window.py",
        "if smallest != self._buffer_bytes:",
        "if self._buffer_bytes is None or (smallest or 0) < self._buffer_bytes:",
        "unit/protocol/test_caster.py::test_the_buffer_of_a_target_that_has_left_slows_nobody_down",
    ),
    Removal(
        "contents are read only if owner and mode are as scanned",
        "tree/source/reader.py",
        "if (status.st_uid, status.st_gid, mode) != scanned:",
        "if False:",
        "unit/tree/source/test_reader.py",
    ),
    Removal(
        "attributes are read only from the entry that was listed",
        "tree/fs/xattrs.py",
        "if (status.st_mode, status.st_uid, status.st_gid) != expected:",
        "if False:",
        "unit/tree/source/test_scan.py",
    ),
    Removal(
        "a closed directory stays closed under any name",
        "tree/source/scanner.py",
        "        manifest.modes[directory], manifest.uids[directory], manifest.gids[directory] = opened\n",
        "",
        "unit/tree/source/test_scan.py",
    ),
    Removal(
        "no directory of the source takes the place of another",
        "tree/source/roots.py",
        "inodes = self._roots.inodes[number] if self._roots.inodes else None",
        "inodes = None",
        "unit/tree/source/test_rescan.py",
    ),
    Removal(
        "no address that a target reports ends a session",
        "transport/pages/bursts.py",
        "if path.kind is PathKind.MULTICAST and error.errno not in _LOST_ON_THE_WAY:",
        "if error.errno not in _LOST_ON_THE_WAY:",
        "unit/transport/pages/test_bursts.py",
    ),
    Removal(
        "verify reports files that disappear while it runs",
        "tree/record/verification.py",
        "for entry in gone if not may_lack else ():",
        "for entry in ():",
        "unit/tree/record/test_verification.py",
    ),
    Removal(
        "a forged FEED does not make genuine ones look old",
        "protocol/receiving/parent_link.py",
        "last.counter < feed.counter <= last.counter + COUNTERS_AHEAD_MAX * spared",
        "last.counter < feed.counter",
        "unit/protocol/receiving/test_relaying.py",
    ),
    Removal(
        "a coded packet names only packets that exist",
        "transport/pages/opener.py",
        "if not length or index >= len(held.slices):",
        "if False:",
        "unit/transport/pages/test_opener.py",
    ),
    Removal(
        "a zstd frame expands to no more than its page",
        "transport/pages/zstd.py",
        "if library is None or _contents_bytes(data) != length:",
        "if library is None:",
        "unit/transport/pages/test_zstd.py",
    ),
    Removal(
        "no other user has rights in the staging directory (--temp-dir)",
        "tree/staging/homes.py",
        "if status.st_uid != os.geteuid() or status.st_mode & 0o022:",
        "if False:",
        "unit/tree/staging/test_homes.py",
    ),
    Removal(
        "no link within DEST is followed to --temp-dir or --link-dest",
        "tree/destination/root.py",
        "deeper = os.open(name, os.O_RDONLY | os.O_DIRECTORY | CAUTIOUS, dir_fd=fd)",
        "deeper = os.open(name, os.O_DIRECTORY, dir_fd=fd)",
        "unit/tree/staging/test_homes.py",
    ),
    Removal(
        "a file that has further names is not overwritten (--inplace)",
        "tree/staging/overwriting.py",
        "(old.st_nlink, old.st_uid, old.st_gid) == (1, uid, gid)",
        "(old.st_uid, old.st_gid) == (uid, gid)",
        "unit/tree/staging/test_overwriting.py",
    ),
    Removal(
        "an unfinished file has a size that gives it away (--inplace)",
        "tree/staging/overwriting.py",
        "os.ftruncate(fd, max(os.fstat(fd).st_size, size) + 1)",
        "pass",
        "unit/tree/staging/test_overwriting.py",
    ),
    Removal(
        "contents that may be forged get no attributes",
        "tree/compare/update_safety.py",
        "        if uid not in (-1, status.st_uid) and status.st_uid != os.geteuid():\n"
        "            return not self._probe(entry, status.st_dev).owners\n",
        "",
        "unit/tree/compare/test_update_safety.py",
    ),
    Removal(
        "a directory that is opened again is the same one",
        "tree/fs/directories.py",
        "if self._inodes.setdefault(entry, inode) != inode:",
        "if False:",
        "unit/tree/fs/test_directories.py",
    ),
    Removal(
        "no kept link leads out of DEST (--keep-dirlinks)",
        "tree/fs/directories.py",
        "                if not path:\n"
        '                    raise OSError(errno.EXDEV, "the link points outside the destination")\n'
        "                path.pop()",
        "                path = path[:-1]",
        "unit/tree/fs/test_directories.py::test_where_a_link_leads",
    ),
    Removal(
        "a comparison that somebody makes fail stops one entry",
        "tree/compare/entry_comparer.py",
        "            self._compare_with(entry, listing, position)\n        except OSError as error:\n",
        "            self._compare_with(entry, listing, position)\n        except NotImplementedError as error:\n",
        "unit/tree/compare/test_update_safety.py",
    ),
    Removal(
        "processes that replace each other share one patience",
        "protocol/targets/roster.py",
        ", former=former, waiting=target.waiting)",
        ", former=former)",
        "unit/protocol/targets/test_roster.py",
    ),
    Removal(
        "no relay is believed for ever that it gets nothing",
        "protocol/targets/chains/link_watch.py",
        "            or self._is_dry(link, transfer, slack_s, now)\n",
        "",
        "unit/protocol/targets/chains/test_link_watch.py",
    ),
    Removal(
        "the holes of a sparse file are those of the version that is read",
        "tree/source/reader.py",
        "                self._inodes[file], self._ctimes[file] = inode, ctime\n",
        "                pass\n",
        "unit/tree/source/test_reader.py",
    ),
    Removal(
        "files in a tree do not merge each other without end",
        "tree/filter/merge_files.py",
        "if self._directory is not None and self._bytes > RULE_FILE_BYTES_MAX:",
        "if self._bytes > 64 * RULE_FILE_BYTES_MAX:",
        "unit/tree/filter/test_merge_files.py::test_files_in_a_tree_that_merge_each_other_many_times_are_too_large",
    ),
    Removal(
        "removing directories is activity",
        "tree/destination/tree_remover.py",
        "            on_activity(1)\n",
        "",
        "unit/tree/destination/test_tree_remover.py",
    ),
    Removal(
        "endless output of a remote shell is cut off",
        "remote/contact.py",
        "return written if self._count < LINES_MAX else None",
        "return written",
        "unit/remote/test_contact.py",
    ),
    Removal(
        "endless lists are not read",
        "files.py",
        "        if len(line) > LINE_BYTES_MAX:\n",
        "        if False:\n",
        "unit/test_files.py::test_lines_without_end_are_not_read",
    ),
)
