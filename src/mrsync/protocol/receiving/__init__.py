"""How a catcher takes part: find its session, put pages together, report what is missing, pass pages on.

`joining` finds a session that accepts this catcher (`candidates`) and reports how it hears it (`hearing`). `reception`
is the way of a packet: `assembly` keeps account of which packets of an object have arrived, and `reporter` tells the
caster which are missing, when it is the target's turn (`report_turns`). `grants` turns a status into permissions to
commit and finish. Where pages come from another target, `relaying` has its parent (`parent_link`) and its `children`:
`feeder` decides what these get, one object at a time (`passage`).
"""
