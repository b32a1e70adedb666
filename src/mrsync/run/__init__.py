"""Programs: joins network, tree and remote shells into the runs that a user starts.

- cast: one sync, on the master. catch: the same sync, on one target.
- measure: rtt and doctor, on both ends.

`settings` says what a run is asked to do, `launch` starts the far ends, `rendezvous` chooses family, group, port and
interfaces, `bootstrap` is the first thing that runs on a target.
"""
