"""Find out what a target lacks.

Each directory of the destination is read once and merged with the manifest's rows of the same directory, both sorted.
Each pair yields differences, by rsync's quick check or by digests; differences become needs (contents to cast), updates
(attributes to set), links to make, or nothing. What only the target has is extraneous, and kept for the deletions.
"""
