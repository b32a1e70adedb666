"""One sync on the master: load the source, launch catchers, cast until every target has a result, build the outcome.

`cast` connects the parts. `supply` has the source scanned (`load_source`) and plans; `objects` reads pages;
`rsync_compare` asks rsync what targets lack (-o). `changed_files` decides about files that changed while they were
read. `notices` and `reach_notices` turn events into sentences for the user, and `unheard` warns of targets from which
nothing comes. `ledger` collects the changes that targets itemize. `account` builds the `outcome` at the end.
"""
