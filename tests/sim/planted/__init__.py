"""Faults to plant in the cores, each a changed piece of one function; see docs/testing.md."""
