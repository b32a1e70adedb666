"""The command line: options, progress, reports and signals. `main` dispatches the programs; `sync` runs a sync."""
