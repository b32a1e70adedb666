"""What the state machines of caster and catcher are made of.

`states` has the tables of all phases and transitions. `events` are what the machines report, `sends` what they want
sent, `timers` when they want to be called. `log` is the reliable log from each target to the caster, and `plausibility`
judges what an honest target can say in it. `attention` is a clock that stands still while nobody listens. `lateness`,
`recent` and `histogram` keep figures.
"""
