"""The command lines of the tools beside the sync: rtt, doctor and verify, and how these present their results."""
