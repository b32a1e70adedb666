"""Keys, seals and signatures: which members can read a message, and which can have made it.

A session derives its keys from the secret that targets got at launch (`keys`). Pages and messages are sealed with them
(`sealing`), decisions and digests of pages are signed by the master (`signing`, `ed25519`), and `proofs` keep what
proves a tree later. Nothing here knows a message.
"""
