"""Blends a run's AI feedback with people's labels into a dataset to train on: `tenet blend`."""
