"""Select entries of the source by lists, instead of comparing everything.

`synclist` parses the texts that name what to send and delete, and `scan_synclist` scans those entries. `rsync_output`
makes a synclist of rsync's dry run, `shell_patterns` one of patterns (-l). `lookup` finds single paths.
"""
