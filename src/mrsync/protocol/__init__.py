"""The state machines of both ends, without sockets, files or clocks.

`caster` is the master's side and `catcher` a target's. `core` has the table of phases and what both sides share.
`sending` decides what pages and repairs leave, `pace` how fast. `targets` has the decisions about each target, among
them who feeds whom (`targets.chains`). `receiving` puts pages together, reports what is missing, and feeds a child.

Parameters that have the same meaning everywhere:

  now. The time in seconds on the loop's clock, which stands still while the process is stopped (`core.attention`).
  tx. The number of a transmission: of a burst, or of a status. Later transmissions have higher numbers.
  object, page, generation. An object, the number of a page in it, and how often the page was read before.
  count, mask. The number of packets of a page, and a bit set of their indices; as a request, the mask 0 means all.
  reading. One generation of a page that came in this number of packets (`mrsync.wire.geometry.reading_of`).
  source. The address that a message came from, opaque here; answers go there.
"""
