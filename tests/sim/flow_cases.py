"""Cases of flow: processes that stop and come back, queues, noise, long ways; see cases.py."""

from __future__ import annotations

from dataclasses import replace

from mrsync.protocol.sending.schedule import TX_ROOM
from mrsync.wire.limits import TX_MAX
from mrsync.wire.messages import Phase
from tests.sim.cases import DONE, GEOMETRY, GOOD, LOSSY, LOST, SMALL, case, fated
from tests.sim.scenario import Fate

FLOW_CASES = (
    case(
        "the master is stopped for longer than the ack wait",
        (LOSSY,) * 4,
        (DONE,) * 4,
        10.0,
        rate_bytes_s=1e7,
        caster_stops=(0.4, 9.0),
        seed=8,
    ),
    case(
        "the master is stopped for longer than the ack wait while catchers come in",
        (fated(Fate.LATE, 3.0), GOOD),
        (DONE, DONE),
        10.5,
        caster_stops=(0.01, 9.0),
    ),
    case(
        "all are stopped together, as in a machine that sleeps",
        (fated(Fate.STOPPED, 0.4, 14.0),) * 2,
        (DONE,) * 2,
        15.5,
        rate_bytes_s=1e7,
        caster_stops=(0.41, 14.0),
    ),
    case(
        "the master is stopped when its patience with one ends, and a hundred others speak meanwhile",
        (fated(Fate.CUT, 0.2, 7.0), *(GOOD,) * 100),
        (DONE,) * 101,
        17.0,
        rate_bytes_s=1e7,
        caster_stops=(6.29, 5.0),
    ),
    case(
        "one is stopped for a while, and its socket keeps old packets",
        (fated(Fate.STOPPED, 0.4, 3.0), GOOD, LOSSY),
        (DONE,) * 3,
        5.5,
        rate_bytes_s=2e7,
        file_bytes=(500 * GEOMETRY.page_bytes,),
    ),
    case(
        "a slow one comes back after a while, and the others go on meanwhile",
        (fated(Fate.STOPPED, 0.5, 3.0, target=replace(LOSSY, loss=0.01, disk_pages_s=60.0)),)
        + (replace(LOSSY, loss=0.01),) * 3,
        (DONE,) * 4,
        36.0,
        rate_bytes_s=2e7,
        file_bytes=(GEOMETRY.page_bytes * 1800,),
    ),
    case(
        "a fifth of all packets is lost on a longer way, whatever is sent",
        (replace(GOOD, loss=0.2, delay_s=0.005),) * 3,
        (DONE,) * 3,
        1.6,
        uplink_bytes_s=5e7,
        file_bytes=(500 * GEOMETRY.page_bytes,),
    ),
    case(
        "a long way is filled, though buffers are small",
        (replace(GOOD, delay_s=0.05, buffer_bytes=2 << 20),) * 2,
        (DONE,) * 2,
        4.0,
        uplink_bytes_s=5e7,
        file_bytes=(1000 * GEOMETRY.page_bytes,),
    ),
    case(
        "a switch has a slow port and a short queue",
        (GOOD,) * 4,
        (DONE,) * 4,
        1.7,
        repaired_max=800 * GEOMETRY.packets // 3,
        switch_bytes_s=5e7,
        file_bytes=(800 * GEOMETRY.page_bytes,),
    ),
    case(
        "a queue is shorter than a burst",
        (GOOD,) * 2,
        (DONE,) * 2,
        2.9,
        repaired_max=400 * GEOMETRY.packets // 10,
        switch_bytes_s=1.25e7,
        switch_queue_bytes=16_000,
        file_bytes=(400 * GEOMETRY.page_bytes,),
    ),
    case(
        "copies pass a queue that is shorter than all of one page",
        (GOOD,) * 8,
        (DONE,) * 8,
        9.0,
        repaired_max=100 * GEOMETRY.packets // 2,
        is_unicast=True,
        switch_bytes_s=1.25e7,
        switch_queue_bytes=250_000,
        file_bytes=(100 * GEOMETRY.page_bytes,),
    ),
    case(
        "no multicast gets through for a while, and then it does again",
        (fated(Fate.MUFFLED, 0.4, 4.5),) * 4,
        (DONE,) * 4,
        13.0,
        uplink_bytes_s=1e7,
        file_bytes=(900 * GEOMETRY.page_bytes,),
    ),
    case(
        "no multicast at all, through a short queue",
        (GOOD,) * 12,
        (DONE,) * 12,
        13.0,
        is_unicast=True,
        switch_bytes_s=1e7,
    ),
    case(
        "pages are read again for repairs that leave among first sends",
        (replace(GOOD, delay_s=0.005, loss=0.002, retained_pages=0),) * 3,
        (DONE,) * 3,
        4.0,
        uplink_bytes_s=1e7,
        cached_pages=20,
        has_halves=True,
        file_bytes=(300 * GEOMETRY.page_bytes,),
    ),
    case(
        "numbers of packets end before the session does",
        (LOSSY,) * 2,
        (LOST,) * 2,
        1.5,
        Phase.ABORTED,
        first_tx=TX_MAX - TX_ROOM - 20,
        rate_bytes_s=1e7,
        abort_at_s=1.4,  # it has ended by then
    ),
    case(
        "numbers of packets are large",
        (LOSSY,) * 3,
        (DONE,) * 3,
        0.5,
        first_tx=TX_MAX - TX_ROOM - 10_000,
    ),
    case(
        "more is missing than a report can tell, and than is remembered of one",
        (replace(GOOD, loss=0.2, buffer_bytes=64 << 20), GOOD),
        (DONE,) * 2,
        6.0,
        geometry=SMALL,
        file_bytes=(SMALL.page_bytes * 6000,),
        rate_bytes_s=4e6,
        has_monitor=False,
    ),
    case(
        "one hears nothing any more while much is sent, and nobody waits for it",
        (fated(Fate.ISOLATED, 0.4), GOOD, GOOD),
        (LOST, DONE, DONE),
        12.9,
        cast_s_max=7.2,
        uplink_bytes_s=1e7,
        file_bytes=(400 * GEOMETRY.page_bytes,),
    ),
)
