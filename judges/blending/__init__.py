"""Blends opinions of people and of a judge about the same pairs: who is believed, how far, and what comes of both together."""
