"""One sync on a target: `catch` drives the catcher's core, `target` turns its events into work on the tree."""
