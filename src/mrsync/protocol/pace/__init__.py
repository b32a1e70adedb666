"""How fast packets may leave: round trips, queues on the way, and the share that others keep."""
