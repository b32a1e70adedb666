"""What a run shows and writes: progress, verdict, reports, metrics, logs."""
