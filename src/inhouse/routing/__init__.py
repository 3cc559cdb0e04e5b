"""Which deployment answers, and what happens when it does not."""
