"""One sync on a target.

`catch` sets up the sockets and drives the protocol's state machine. `session` turns its events into jobs and their
results into records. `jobs` works on the tree, in the worker's thread, within its `confinement`; `activity` tells the
loop that it goes on, and tells it to stop. `itemizing` reports changes for -i, and `record_keeper` keeps what
`mrsync verify` needs.
"""
