"""CommitOracle: judges what is granted and put in place, by the rule of the run and by what truly came to each host."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mrsync.protocol.core.events import CommitGranted
from mrsync.protocol.targets.commit_decisions import CommitRule
from mrsync.ranges import RangeSet
from mrsync.wire.messages import Phase, Status
from tests.sim.reception import Violation

if TYPE_CHECKING:
    from mrsync.protocol.caster import Caster
    from mrsync.protocol.targets.roster import Target
    from tests.sim.target import TargetHost
    from tests.sim.world import Address, World


class CommitOracle:
    """I2; granted: the verdict on each plan file below the end of all spans so far."""

    def __init__(self, world: World, hosts: dict[Address, TargetHost]) -> None:
        self.granted: list[bool] = []
        self.caster: Caster
        self._world = world
        self._hosts = hosts
        self._rule = world.scenario.commit_rule
        self._was_asked = False  # for a second round

    def live_hosts(self) -> list[TargetHost]:
        """The processes of all targets that the caster counts as live."""
        return [self.host_of(target) for target in self.caster.roster.live]

    def host_of(self, target: Target) -> TargetHost:
        """The process that was welcomed as this target."""
        assert target.hello is not None
        instance = target.hello.instance
        return next(host for host in self._hosts.values() if host.instance == instance)

    @property
    def _cast_again(self) -> set[int]:
        """Files of the first round that are cast once more in the second."""
        plan = self._world.plan
        again = set(plan.files[plan.first_count :])
        return {file for file in self._world.void if file < plan.first_count and plan.files[file] in again}

    def is_staged(self, host: TargetHost, file: int) -> bool:
        """Whether every byte of this file truly came, or it was sat out, or is not needed there."""
        if file >= host.storage.understood:
            return False
        if not host.storage.is_needed(file) or file in host.storage.sat_out:
            return True
        return all(key in host.written for key in self._world.plan.keys_of(file))

    def judge_status(self, status: Status) -> None:
        """What is granted to all is granted for good, and only if every live target truly has it."""
        span = status.commit
        if status.phase is Phase.WITHDRAWING and (span.end or span.ahead):
            raise Violation("something was granted before all was withdrawn")
        exceptions = RangeSet(span.exceptions)
        if self._rule is CommitRule.JOB and span.end and not self.granted:
            self._judge_flip(span.end)
        if self._rule is CommitRule.END and span.end > len(self.granted):
            self._judge_wait()
        for file in range(span.first, span.end):
            is_granted = file not in exceptions
            if file < len(self.granted):
                if self.granted[file] != is_granted:
                    raise Violation(f"the caster changed its mind about file {file}")
                continue
            if file != len(self.granted):
                raise Violation(f"nothing was said about file {len(self.granted)}")
            self.granted.append(is_granted)
            for host in self.live_hosts():
                is_sat_out = self._rule is not CommitRule.EACH and file in host.storage.sat_out
                if is_granted and (is_sat_out or not self.is_staged(host, file)):
                    raise Violation(f"file {file} is granted, but {host.address} does not have it")

    def _judge_flip(self, end: int) -> None:
        """All or nothing: every target is there and has every file."""
        live = self.live_hosts()
        if len(live) < len(self._world.scenario.targets):
            raise Violation("not all targets are there any more when all flip")
        if any(host.storage.sat_out for host in live) or self._world.void - self._cast_again:
            raise Violation("all flip, though a file is sat out or has changed")
        if not all(self.is_staged(host, file) for host in live for file in range(len(self._world.plan.files))):
            raise Violation("all flip before every file is everywhere")
        if end < len(self._world.plan.files):
            raise Violation("only some of the files flip")

    def _judge_wait(self) -> None:
        """Nothing is put in place before every live target has every file, or sits it out."""
        for host in self.live_hosts():
            lacking = {file for file in range(len(self._world.plan.files)) if not self.is_staged(host, file)}
            if lacking - host.storage.sat_out - self._world.void:
                raise Violation(f"files are put in place before {host.address} has all")

    def judge_grant(self, host: TargetHost, event: CommitGranted) -> None:
        """A file is put in place only where it truly is, and as it was in the source."""
        exceptions = RangeSet(event.exceptions)
        for file in range(event.first, event.end):
            is_committed = file not in exceptions
            is_known = file < len(self.granted) and self.granted[file] == is_committed
            if not is_known and self._rule is not CommitRule.EACH:
                raise Violation(f"{host.address} goes its own way with file {file}")
            if is_committed and not self.is_staged(host, file):
                raise Violation(f"{host.address} is to commit file {file}, which it does not have")
            if is_committed and self._is_spoilt(host, file):
                raise Violation(f"{host.address} is to commit file {file}, of which it got zeros")

    def _is_spoilt(self, host: TargetHost, file: int) -> bool:
        if file not in host.storage.left or file in host.storage.sat_out:
            return False
        generation_of = host.reception.true_pages
        keys = self._world.plan.keys_of(file)
        return any(file in self._world.spoilt.get((*key, generation_of[key]), ()) for key in keys)

    def judge_changed(self, files: tuple[int, ...]) -> None:
        """What changed and was still to be had is cast once more, and only when everyone has all else."""
        if set(files) != self._world.void or self._was_asked:
            raise Violation(f"{files} are to be cast again, but {self._world.void} changed")
        count = len(self._world.plan.files)
        if not all(self.is_staged(host, file) for host in self.live_hosts() for file in range(count)):
            raise Violation("files are to be cast again before everyone has the others")
        self._was_asked = True

    def judge_withdrawn(self, host: TargetHost) -> None:
        if host.storage.committed or self._rule is not CommitRule.JOB:
            raise Violation(f"{host.address} withdraws with files in place")

    def judge_done(self, host: TargetHost) -> None:
        """Each target that counts as done did all that it was to do, or nothing at all."""
        storage, is_withdrawn = host.storage, bool(self.caster.veto)
        if storage.is_withdrawn != is_withdrawn or (is_withdrawn and storage.committed):
            raise Violation(f"{host.address} has not withdrawn as all were to, or has alone")
        if is_withdrawn:
            return
        if self._world.void and not self._was_asked:
            raise Violation("what had changed was not cast again")
        granted = {file for file, is_granted in enumerate(self.granted) if is_granted}
        wanted = granted & set(storage.left) - storage.sat_out
        extra = set(self._world.changed) if self._rule is CommitRule.EACH else set()  # before they changed
        if not wanted <= storage.committed <= wanted | extra:
            raise Violation(f"{host.address} did not commit what was granted")

    def judge_veto(self) -> None:
        """Nothing is withdrawn without a reason."""
        scenario = self._world.scenario
        is_sat_out = any(host.storage.sat_out for host in self._hosts.values())
        is_one_gone = any(target.is_ended and target.reason for target in self.caster.roster)
        if self.caster.veto and not (is_sat_out or is_one_gone or self._world.changed):
            raise Violation(f"withdrawn for nothing: {self.caster.veto} ({scenario.seed})")
