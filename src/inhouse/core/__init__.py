"""The nouns and ports that everything is made of; frozen, and without I/O."""
