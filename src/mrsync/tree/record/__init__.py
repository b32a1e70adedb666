"""What a target keeps of its last sync, to prove its tree against what the master sent."""
