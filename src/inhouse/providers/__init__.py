"""Our code that talks to upstreams: one file, one entry point a kind."""
