"""The only package with sockets and clocks.

`caster_driver` and `catcher_driver` drive the two state machines: sockets, timers and pages to and from them, in one
event `loop`; slow work is done by a `worker`. `page_receiver` takes received pages to the disk, after `verifying` their
signed digests, which `digesting` sends. `peering` has the addresses of relays and children. `pinging` and `echoing` are
the two ends of rtt and doctor.
"""
