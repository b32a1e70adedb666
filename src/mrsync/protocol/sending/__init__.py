"""How pages leave: what is sent next, how fast, and what is sent again.

`schedule` decides what leaves next. `window` says how much may be under way, and has the rate cap. `ack_clock` opens it
by the reports of a few targets, the monitors; `departures` knows when each burst left. `loss_trials` tells whether
losses are a reason to narrow the window. `transfer` keeps what each target claims to miss of each page; `repairs` plans
what is sent again, and `coding` combines losses by XOR, so that one packet repairs many. `flow` is the state of each
listener in all this, and `stragglers` sets one aside that alone holds back the others.
"""
