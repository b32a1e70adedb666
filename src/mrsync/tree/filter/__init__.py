"""Decide which names rsync's filter rules include, exclude, protect or risk.

Rules are parsed once (`rules`, `merge_files`), compiled so that all names of a directory are matched against many rules
by few regular expressions (`matching`, `globs`), and asked one directory at a time (`filters`). `ere` matches POSIX
extended expressions in time linear in the path, so that no pattern can hang a target.
"""
