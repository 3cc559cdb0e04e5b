"""Who tokens speak for: keys of issuers, claims, and tokens of our own."""
