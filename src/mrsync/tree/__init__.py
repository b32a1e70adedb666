"""Everything that knows files: scan, compare, plan, stage, commit and finish a tree. Nothing here knows the network.

Its packages. Each imports only from those above it in this list:

- model: what both ends say to each other about a tree: manifest, policy, plan.
- filter: rsync's filter rules.
- fs: single operations on the file system, each through descriptors.
- source: read the master's tree, and the contents of its files.
- lists: what synclists, rsync's output and the shell's patterns name of it.
- destination: the tree on a target, and what is deleted or backed up there.
- compare: what a target lacks.
- staging: write files beside their final place, put them into place, finish the tree, resume.
- delta: copy from an old file on the target what it shares with the new one.
- record: what a target keeps of its last sync, for `mrsync verify`.
"""
