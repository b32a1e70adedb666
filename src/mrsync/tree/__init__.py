"""Everything that knows files: scan, compare, plan, stage, commit and finish a tree. Nothing here knows the network.

Its packages. Each imports only from those above it in this list:

- model: what both ends say to each other about a tree: manifest, policy, plan.
- filter: rsync's filter rules.
- fs: single operations on the file system, each through descriptors.
- source: read the master's tree, and the contents of its files.
- lists: the part of it that synclists, rsync's output or shell patterns select.
- destination: the tree on a target, with deletions and backups there.
- compare: find out what a target lacks.
- staging: write files beside their final place, put them into place, finish the tree, resume.
- delta: copy the blocks that a new file shares with the old one on the target.
- record: the record of its last sync that a target keeps for `mrsync verify`.

Parameters that have the same meaning everywhere:

  entry, directory, parent. The number of an entry in the manifest; of one that is a directory; of the directory above.
  file. The number of a file in the plan.
  name, path. A name in a directory, and a path below the root of the tree, both bytes.
  fd, directory_fd. An open descriptor, and that of the directory that a name is in.
  listing, position. The entries of a directory as they were read, and the place of one of them in the listing.
  differences. A bit set of what differs (`model.items`).
  on_activity. Called now and then during long work, so that the target does not seem to hang; what it raises is passed
  on.
"""
