"""Turn the evidence about one target into findings: what is wrong, the likely cause, and a remedy.

Each rule looks at one possible problem: on the way to the target (`path_rules`) or on it (`host_rules`).
"""

from __future__ import annotations

from mrsync.run.measure import host_rules, path_rules
from mrsync.run.measure.evidence import Evidence, Setting
from mrsync.run.measure.finding import Finding, FindingRule

_RULES: tuple[FindingRule, ...] = (  # in the order of their findings
    host_rules.ended,
    path_rules.deafness,
    path_rules.unanswered,
    path_rules.muteness,
    path_rules.only_answers,
    path_rules.unreported,
    path_rules.forgotten,
    path_rules.mtu,
    host_rules.buffers,
    path_rules.speed,
    host_rules.disk,
    path_rules.meetings,
    host_rules.wireless,
    host_rules.bridge,
    host_rules.clock,
    host_rules.encryption,
    host_rules.options,
    host_rules.sandbox,
)


def diagnose(seen: Evidence, setting: Setting) -> list[Finding]:
    """Return all findings about a target, faults first; empty if nothing is wrong. setting: what all targets share."""
    if seen.facts is None:
        detail, _, remedy = (seen.reason or "its probe did not answer").partition("; ")
        return [Finding("not reachable", detail, remedy or "make the remote shell (-r) work first")]
    found = [rule(seen, seen.facts, setting) for rule in _RULES]
    known = [finding for finding in found if finding is not None]
    return sorted(known, key=lambda finding: not finding.is_fault)
