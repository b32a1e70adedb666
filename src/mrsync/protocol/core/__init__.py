"""What both cores are made of: states and events, timers, sets of numbers, the log, and what they want sent."""
