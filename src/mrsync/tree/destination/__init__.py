"""Change the tree on a target.

`destination` owns the root's descriptor and makes, opens and changes directories by their entry of the manifest.
`removals` decides what may be removed, removes it (whole directories by `tree_remover`), or turns it into a backup
(`backup`). `deletion_limit` counts, lists and limits deletions, and `listed_deletions` are those that a list names.
`mrsync.tree.staging.final_deletions` decides when all this happens. `metadata` sets attributes, and `refusals` collects
those that the file system does not accept.
"""
