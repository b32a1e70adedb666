"""The declarations: one module for each kind of option, and one for what only rsync has."""
