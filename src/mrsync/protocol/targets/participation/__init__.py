"""Which catchers take part in a session, and what is settled with them.

`admission` admits catchers while targets are gathered. `seals` chooses how the session seals its pages, and
`compressions` how it compresses them, given what the admitted catchers can open.
"""
