"""What a target keeps of its last sync, to prove its tree against what the master sent.

While pages arrive, `gathering` collects their proofs; `record` holds them with the manifest, and `store` keeps records
outside of all destinations. `verification` compares a tree with its record; `reading` reads the files for that, in the
parts of a `grid`.
"""
