"""The descriptions of trees that master and targets exchange.

A manifest holds one row per entry of the source, in columns, breadth first, names sorted within each directory: the
entry's index is its number everywhere. A plan lists the files whose contents are cast, and where each begins in the
contents object. A manifest patch replaces rows of files that changed after the scan. The `policy` says how the options
of the run treat all this on targets. All of it is packed and compressed by `packing`. `Manifest.decode` rejects every
name that could lead outside of the destination, and the other decoders whatever does not fit the manifest.
"""
