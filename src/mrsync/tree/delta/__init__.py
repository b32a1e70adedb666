"""Copy what an old file on a target shares with the new one, so that it need not be sent (--delta).

The target reports which needed files it has an older version of (`basis`). The master adds digests of their blocks to
the plan (`blocks`). The target copies matching blocks of the old version into the staged file (`copy`), at the same
offset or, after an insertion or removal, elsewhere (`search`).
"""
