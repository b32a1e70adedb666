"""mrsync verify: prove the trees of targets against the records that their last sync left."""
