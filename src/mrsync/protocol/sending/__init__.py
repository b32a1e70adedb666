"""How pages leave: what is sent next, how fast, and what is sent again.

A window says how much may be under way; it is opened by reports of a few targets, the clock, and narrowed by loss.
Transfers remember what was sent when and who misses what; repairs are combined by XOR, so that one packet repairs many.
"""
