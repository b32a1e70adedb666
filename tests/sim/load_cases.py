"""Cases of load: busy hosts, and queues that others use as well; see cases.py."""

from __future__ import annotations

from dataclasses import replace

from mrsync.wire.messages import NetworkShare
from tests.sim.cases import DONE, GEOMETRY, GOOD, case

PORT = 1.25e7  # bytes/s

LOAD_CASES = (
    case(
        "a call keeps the master for longer than the ack wait, while a hundred speak",
        (GOOD,) * 100,
        (DONE,) * 100,
        12.0,
        rate_bytes_s=1e7,
        caster_blocks=(0.3, 8.0),
    ),
    case(
        "a slow processor is kept busy by reports",
        (GOOD,) * 12,
        (DONE,) * 12,
        3.5,
        report_s=0.002,
        uplink_bytes_s=1e8,
        file_bytes=(1000 * GEOMETRY.page_bytes,),
    ),
    case(
        "a fair session finds the rate of an empty path and hardly loses anything",
        (GOOD,) * 2,
        (DONE,) * 2,
        2.9,
        repaired_max=180,
        switch_bytes_s=PORT,
        switch_queue_bytes=int(PORT * 0.1),
        file_bytes=(400 * GEOMETRY.page_bytes,),
        share=NetworkShare.FAIR,
    ),
    case(
        "nobody else is there, and random losses do not slow a polite session down",
        (replace(GOOD, loss=0.01),) * 2,
        (DONE,) * 2,
        2.9,
        switch_bytes_s=PORT,
        switch_queue_bytes=int(PORT * 0.1),
        file_bytes=(400 * GEOMETRY.page_bytes,),
        share=NetworkShare.POLITE,
    ),
    case(
        "random losses do not slow a fair session down where its queue is short",
        (replace(GOOD, loss=0.01),) * 2,
        (DONE,) * 2,
        2.55,
        switch_bytes_s=PORT,
        switch_queue_bytes=int(PORT * 0.01),
        file_bytes=(400 * GEOMETRY.page_bytes,),
        share=NetworkShare.FAIR,
    ),
    case(
        "four lose a packet in twenty, and a fair session fills the link all the same",
        (replace(GOOD, loss=0.05),) * 4,
        (DONE,) * 4,
        3.4,
        seed=1,
        switch_bytes_s=2.5e7,
        switch_queue_bytes=2_500_000,
        file_bytes=(1000 * GEOMETRY.page_bytes,),
        share=NetworkShare.FAIR,
    ),
    case(
        "late programs at targets are not taken for a queue",
        (replace(GOOD, late_share=0.3, late_s=0.01),) * 3,
        (DONE,) * 3,
        0.78,
        seed=8,
        uplink_bytes_s=2e8,
        file_bytes=(500 * GEOMETRY.page_bytes,),
        share=NetworkShare.FAIR,
    ),
    case(
        "one of four is behind a slow port, and is followed only when its queue is full",
        (replace(GOOD, port_bytes_s=2.5e6, port_queue_bytes=250_000), *(GOOD,) * 3),
        (DONE,) * 4,
        10.0,
        repaired_max=6000,
        uplink_bytes_s=2.5e7,
        file_bytes=(270 * GEOMETRY.page_bytes,),
        share=NetworkShare.FAIR,
    ),
    case(
        "a long path is filled soon",
        (replace(GOOD, delay_s=0.15),) * 2,
        (DONE,) * 2,
        8.0,
        cast_s_max=6.2,
        uplink_bytes_s=2.5e7,
        file_bytes=(1065 * GEOMETRY.page_bytes,),
        share=NetworkShare.FAIR,
    ),
    case(
        "a TCP connection keeps a queue while a fair session goes on for long",
        (GOOD,) * 2,
        (DONE,) * 2,
        15.0,
        rival_share_min=0.4,
        switch_bytes_s=PORT,
        switch_queue_bytes=int(PORT * 0.01),
        rival_rtt_s=0.001,
        file_bytes=(1200 * GEOMETRY.page_bytes,),
        share=NetworkShare.FAIR,
    ),
)
