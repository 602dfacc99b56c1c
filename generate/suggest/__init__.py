"""Candidate principles that would explain labels of people (inverse constitutional AI): found, measured, written as a draft."""
