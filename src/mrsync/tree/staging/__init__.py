"""Take contents in and put them into place.

Pages are written into staged files beside their final names (`stage`) and noted in a journal, so that a later session
can resume (`journal_reader`, `resume`). Once the master grants a span of files they are renamed (`commit`). `finish`
brings the rest in line when all contents are there: links, attributes, deletions, and directory times last.
"""
