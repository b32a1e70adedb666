"""Chains of targets that pass pages on where the group does not reach, as the master orders and repairs them.

`relays` has the links. `link_watch` finds those that fail, and `link_failures` decides which end is to blame and what
becomes of both. `slack` is more patience with links where answers are late. `absentees` take no part for a while, and
`unreached` remembers which targets did not reach each other. `chains` keeps the order, which follows from where targets
are (`neighbourhood`); in `islands` one target casts to a group of its own. `assignments` tells targets their peers.
"""
