"""Copy what an old file on a target shares with the new one, so that it need not be cast.

The target names files of which it has an older copy (`basis`); the master adds digests of their blocks to the plan
(`blocks`); the target copies the blocks that it finds, at the same offset or elsewhere (`search`), into its staged
file.
"""
