"""Measurements: `rtt` measures round-trip times of pages, `doctor` tests what would keep a sync from running well.

The doctor's `experiments` send pings and pages and record them (`probe_log`). A `probe` on each target echoes them and
reports `facts` about its host (`hostfacts`). The master collects the `evidence` about each target in its `target_exam`,
and `diagnosis` makes a `finding` of all that is wrong, by rules about the way there (`path_rules`) and about the host
(`host_rules`). `meetings` tests which targets reach each other. `rttcatch` is the end of rtt on a target.
"""
