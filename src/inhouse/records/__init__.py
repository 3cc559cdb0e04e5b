"""What is kept of each request: one trace row, one log line, and metrics; never its text."""
