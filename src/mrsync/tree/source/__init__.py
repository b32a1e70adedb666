"""Read the master's tree: a manifest first, the contents of planned files later.

`scan` walks the whole source; `files_from` and `scan_synclist` only what a list names. `source_filter` leaves entries
out while a directory is read. `reader` reads pages of the contents object from files, checks after each file that it is
still the one that was scanned, and `rescan` looks again at those that changed.
"""
