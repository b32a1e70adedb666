"""The tree on a target while it becomes equal to the source.

`destination` owns the root's descriptor, binds it to a manifest, and makes, opens and changes directories. Deletions
are counted and limited, held back by protect rules, and moved aside where backups are asked for.
"""
