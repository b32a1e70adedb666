"""Faults in finding out who is reached by which path."""

from __future__ import annotations

from mrsync.protocol.receiving.joining import Joining
from mrsync.protocol.targets.reach import Reach
from tests.sim.planted.fault import Fault

PATH_FAULTS = (
    Fault(
        "pages go to the address of a stolen hello",
        Reach,
        "receive_hello",
        "elif hello.token == target.path.token:",
        "if True:",
        found_by="strangers steal hellos of the deaf",
    ),
    Fault(
        "a target that never heard the group is not served",
        Reach,
        "_judge",
        "self._serve(target, NEVER_HEARD, now)",
        "pass",
        found_by="one does not hear the group",
    ),
    Fault(
        "a target that was deaf for a while gets copies for ever",
        Reach,
        "look",
        "self._take_back(now)",
        "pass",
        found_by="no multicast gets through for a while, and then it does again",
    ),
    Fault(
        "a target gone deaf gets no sign of life from the master",
        Reach,
        "unanswering",
        "now - target.flow.answered_at > patience_s",
        "False",
        found_by="one goes deaf, and gets the rest by unicast",
    ),
    Fault(
        "a member that a switch forgot does not join again",
        Joining,
        "_handle_silent_group",
        "self._tell(GroupSilent(was_heard=True))",
        "pass",
        found_by="a switch forgets everyone",
    ),
    Fault(
        "packets are as large as the best path allows",
        Reach,
        "fitting",
        "most = min(",
        "most = max(",
        found_by="one path carries small packets only",
    ),
    Fault(
        "smaller packets are not tried",
        Reach,
        "probes",
        "if is_short",
        "if False",
        found_by="one path carries small packets only",
    ),
    Fault(
        "a path that carries nothing is taken for a good one",
        Reach,
        "fix",
        "return narrow",
        "return []",
        found_by="one path carries nothing",
    ),
)
