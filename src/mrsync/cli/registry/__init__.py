"""Every option of every program, declared once.

An `Option` says how it is written, what it means and which programs have it. The parser, the settings files, --help,
the tables of docs/cli.md, the completions and the man pages are made from these declarations: `registry.options` has
them all, by section. `parser` turns them into argparse, `reference` into prose, `completion` into shell code.
"""
