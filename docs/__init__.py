"""Guides, one page a task, and the script that keeps the command pages true."""
