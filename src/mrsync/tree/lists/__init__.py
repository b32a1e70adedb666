"""What lists name of the source: synclists, rsync's output, patterns as the shell knows them."""
