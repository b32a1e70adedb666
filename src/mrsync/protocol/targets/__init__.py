"""What the caster knows of its targets and decides about them: one policy per module.

`roster` has a row for each target, with its `path` and its `progress`. `participation` decides which catchers take
part. `reports` takes what they say, and `union_of_needs` finds out what the plan must contain. `liveness` decides who
is lost, within a budget (`patience`), and `endings` ends them. `commit_decisions` decides which files may be put into
place, in one or two `rounds`; a catcher obeys in `mrsync.protocol.receiving.grants`. `reach` finds out whom the group
reaches, `chains` lets others be fed by targets. `outbox` writes what the caster says, and `lingering` repeats it at the
end.
"""
