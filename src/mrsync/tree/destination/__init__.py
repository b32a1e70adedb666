"""Change the tree on a target.

`destination` owns the root's descriptor and makes, opens and changes directories by their entry of the manifest.
`removals` decides what may be deleted, deletes it, or turns it into a backup (`backup`); `deletions` counts and limits
that. `metadata` sets attributes, and `refusals` collects those that the file system does not accept.
"""
