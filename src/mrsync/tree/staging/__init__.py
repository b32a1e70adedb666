"""Write received contents to staged files and rename them into place.

`stage` writes pages to `staged_files` beside their final names. By its `notes`, a `journal` records what has been
written, so that a later session can resume (`journal_reader`, `resume`), as far as these or `durability` have flushed
it to the disk. `commit` renames the files that the master releases (`mrsync.protocol.targets.commit_decisions`), in
both rounds. After the last commit, `finish` does everything that needs no contents: links, attributes, deletions
(`final_deletions`) and, last, the times of directories.
"""
