"""From words of a command line and settings files to the settings of a run.

`form` decides whether a command line has rsync's form or that of 4.0.1. `options` makes the settings of a sync, with
`target_options`, `network_options`, `output_options`, `places` (SOURCE and DEST), `sources`, `rule_options` (filters)
and its other neighbours. `configuration` reads settings files. `tools` does the same for rtt, doctor and verify.
"""
