"""What each principle of a run does: how often it applies and decides, whom it agrees with, and what would change without it."""
