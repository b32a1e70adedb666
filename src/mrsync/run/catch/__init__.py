"""One sync on a target.

`catch` sets up the sockets and drives the protocol's state machine. `session` turns its events into jobs and their
results into records. `jobs` works on the tree, in the worker's thread, within its `confinement`. The first job compares
and opens the `target_tree`. By its `activity` a job tells the loop that it goes on, and learns that it must stop.
`itemizing` reports changes for -i, and `record_keeper` keeps what `mrsync verify` needs.
"""
