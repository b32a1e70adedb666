"""Measurements: `rtt` measures round-trip times of pages, `doctor` tests what would keep a sync from running well.

The doctor's `experiments` send pings and pages and record them (`probe_log`). A `probe` on each target echoes them and
reports `facts` about its host (`hostfacts`). The master collects the `evidence` about each target in its `target_exam`,
and `diagnosis` turns it into findings. `meetings` tests which targets reach each other. `rttcatch` is the end of rtt on
a target.
"""
