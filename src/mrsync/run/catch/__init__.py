"""One sync on a target.

`catch` sets up the sockets and drives the protocol's state machine. `session` turns its events into jobs and their
results into records. `jobs` works on the tree.
"""
