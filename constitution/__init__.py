"""Principles files: their schema, loader and records, and the choice of principles for a prompt. Knows no judge."""
