"""Chains of targets that pass pages on, as the master orders and mends them."""
