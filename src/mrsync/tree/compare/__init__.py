"""Find out what a target lacks.

Each directory of the destination is read once and merged with the manifest's rows of the same directory, both sorted
(`comparer`, begun by `compare`). For each entry and whatever has its name here, `entry_comparer` finds the
`differences`, by rsync's quick check or by digests. They become needs (contents to cast), updates (attributes to set),
links to make, or nothing, all in the `result` (`work_list`). Entries that only the target has are `extraneous`, and
noted for the deletions.

`hard_links` decides about groups of names at the end. `alternate_search` looks into the directories of --link-dest and
the like, `aliases` finds names that differ only in their case or accents on file systems that take them for one.
`synclist_compare` obeys the marks of a list, `coming_deletions` refuses to delete most of a target, and `prefetch`
reads the destination while the master still scans.
"""
