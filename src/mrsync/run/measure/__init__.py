"""Measurements: `rtt` times round trips of pages, `doctor` finds by trying what would keep a sync from running well.

The master's side sends pings and pages and keeps a log of them (`probe_log`); a probe on each target echoes them and
reports facts about its host; `diagnosis` turns the evidence about each target into findings.
"""
