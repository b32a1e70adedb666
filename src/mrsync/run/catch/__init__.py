"""One sync on a target: `catch` drives the core, `session` turns its events into `jobs` on the tree."""
