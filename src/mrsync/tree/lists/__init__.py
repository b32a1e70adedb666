"""Select entries of the source by lists: synclists, rsync's output and shell patterns."""
