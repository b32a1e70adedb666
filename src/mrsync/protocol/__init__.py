"""The state machines of both ends, without sockets, files or clocks.

`caster` is the master's side and `catcher` a target's. `core` has the table of phases and what both sides share.
`sending` decides what pages and repairs leave, `pace` how fast. `targets` has the decisions about each target, among
them who feeds whom (`targets.chains`). `receiving` puts pages together, reports what is missing, and feeds a child.
"""
