"""The dialects spoken at both edges: shapes and framing, no I/O."""
