"""Guides, one page a task, and the scripts that write the pages which are taken from the code."""
