"""Pages as bursts of packets, in the order of their way.

`page_sender` sends the caster's pages: `sealed_pages` reads, seals and keeps them, `compression` makes them shorter,
and `bursts` sends each as one burst, repairs also as `coded_packets`. On a catcher `intake` receives packets from the
`senders` that it knows into `slots`, `opener` opens complete pages, and `forwarding` sends them on to a relay's child.
"""
