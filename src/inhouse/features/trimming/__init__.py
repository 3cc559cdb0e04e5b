"""What tells where a completion ends: brackets, loops, the code behind, the cursor, sentinels."""
