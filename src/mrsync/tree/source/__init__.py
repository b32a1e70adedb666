"""Read the master's tree: first a manifest of all entries, later the contents of planned files.

`scanner` walks the whole source breadth first; `files_from` and `operands` are variants for --files-from and several
SOURCEs, and `scan` chooses one. `source_filter`, `links` and `mount_policy` leave out entries while a directory is
read. `planning` makes the plan. `reader` reads pages of the contents object and checks that each file is still the one
that was scanned. `rescan` looks again at files that changed.
"""
