"""How fast packets may leave, beside the window of `mrsync.protocol.sending.window`: what the paths show and allow.

For each listener, `pathsignals` gathers what reports show of its path: `delay` is the time that packets queue there,
`deliveries` the rate at which they arrive, `noise` what is lost without a queue. `loss_verdict` has what losses are
taken for. `courtesy` leaves other traffic its share, with a window like that of TCP (`cubic`) or one that yields
(`ledbat`); both begin with `slowstart`, and grow fast again by `regrowth`. `queueing` limits the queue in front of a
listener, and `pacing` spreads the packets of a page where a queue is shorter than that.
"""
