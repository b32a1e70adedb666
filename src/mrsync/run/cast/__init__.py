"""One sync on the master: load the source, launch catchers, cast until every target has a result, build the outcome.

`cast` connects the parts. `source_job` and `objects` supply pages. `changed_files` decides about files that changed
while they were read. `notices` turns events into sentences for the user. `account` builds the Outcome at the end.
"""
