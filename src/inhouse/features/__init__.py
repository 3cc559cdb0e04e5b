"""What inhouse is asked for: completion, generation, chat; each reads top to bottom."""
