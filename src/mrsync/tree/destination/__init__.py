"""Change the tree on a target.

`destination` owns the root's descriptor and makes, opens and changes directories by their entry of the manifest.
Deletions are counted and limited (`deletions`), withheld by protect rules, and turned into renames where backups are
wanted (`backup`). `metadata` sets attributes, and `refusals` collects those that the file system does not accept.
"""
