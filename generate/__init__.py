"""Prompts in, a dataset out: sampling, scheduling, ranking, pairs, export and report. Knows no training; the two meet in files."""
