"""Runs a file of Tenet's own commands in the order of what they need, and leaves out what has not changed. Knows them by name only."""
