"""Measurements: `rtt` measures round-trip times of pages, `doctor` tests what would keep a sync from running well.

The master sends pings and pages and records them (`probe_log`). A probe on each target echoes them and reports facts
about its host. `diagnosis` turns the evidence about each target into findings.
"""
