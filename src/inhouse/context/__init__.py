"""Grounding: where documents come from."""
