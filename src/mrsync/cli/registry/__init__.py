"""All options of all programs, each declared once.

An `Option` says how it is written, what it means, and which programs have it. The parser, settings files, --help, the
tables of docs/cli.md, completions and man pages are made from these declarations. `registry.options` has all of them
by section, from the modules of `registry.declared`. `parser` makes argparse parsers of them, `reference` documents, and
`completion` shell code.

From here an option goes on as the field that its declaration names. `policy.` is `Policy` in tree/model/policy.py,
which targets get with the manifest; `selection.` is `Selection` in tree/source/selection.py, which stays on the master.
"""
