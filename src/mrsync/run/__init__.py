"""Whole programs: connect network, tree and remote shells for the runs that a user starts.

cast: one sync on the master. catch: the same sync on one target. measure: rtt and doctor, on both ends.

`settings` has the parameters of each run, `launch` starts the processes on targets, `rendezvous` chooses address
family, group, port and interfaces, and `bootstrap` has what every program on a target runs first.
"""
