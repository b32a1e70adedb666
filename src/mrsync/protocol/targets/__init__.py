"""What the caster knows of its targets and decides about them: one policy per module.

The roster holds one row per target. Admission decides who takes part, liveness who is lost, reach and relays which way
pages take to a target, commits which files may be put into place.
"""
