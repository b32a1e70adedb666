"""How fast packets may leave, beside the window of `mrsync.protocol.sending.window`: what the paths show and allow.

`courtesy` leaves other traffic its share (`--share` is fair or polite), with a congestion window like that of TCP
(`cubic`) or one that yields (`ledbat`). Both begin with `slowstart`, and grow fast again by `regrowth`. They follow
what reports show of the path to a listener, its `queue_signals`: `queueing` has the time that packets wait there,
`deliveries` the rate at which they arrive, and `noise` the share that is lost although nothing queues. `pacing` spreads
the packets of a page where a queue is shorter than a page.

Two judges say whether losses are congestion or noise (`loss_verdict`). `QueueSignals.judge` asks whether the queue is
full. It answers while courtesy is on and sees a full queue at that listener. In all other cases
`mrsync.protocol.sending.loss_trials` tries it out: it sends less, and looks whether less is lost. That is so with
`--share all`, where no queue can be seen, and while a trial or pacing is under way (`AckClock.on_losses`). Each judge
has its own estimate of the noise, because a trial measures it at two rates, and `noise` while nothing queues.

Likewise two meters take round trips. `delay` belongs to the window of `mrsync.protocol.sending`, which asks how much
longer than the shortest the last one took. `queueing` belongs to courtesy, which must also know how deep the queue is,
and so remembers longer and takes medians.
"""
