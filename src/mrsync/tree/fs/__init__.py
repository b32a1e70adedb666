"""Single operations on a file system, always below a descriptor and never through a link.

`directories` opens every component with O_NOFOLLOW below the root's descriptor and keeps the most recent ones open.
Owners are mapped by name, extended attributes compared and set, holes found and made, files copied and digested.
"""
