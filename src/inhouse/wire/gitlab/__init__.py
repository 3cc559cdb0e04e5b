"""The GitLab dialect's shapes: what GitLab and its editor extensions send, and what they read."""
