"""What master and targets tell each other about a tree.

A manifest holds one row per entry of the source, in columns, breadth first, names sorted within each directory: the
entry's index is its number everywhere. A plan lists the files whose contents are cast, and where each begins in the
contents object. A manifest patch replaces rows of files that changed after the scan. All of it is packed and
compressed by `packing`, and decoded as if an enemy had written it.
"""
