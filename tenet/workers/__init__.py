"""One worker, and what schedules it."""
