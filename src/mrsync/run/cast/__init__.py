"""One sync on the master: load the source, launch catchers, cast until every target has a result, account for it.

`cast` conducts; `objects` feeds the caster with pages; `changed_files` decides about files that changed while they were
read; `notices` turns events into sentences for the user; `account` makes the Outcome from the roster at the end.
"""
