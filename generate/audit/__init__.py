"""Audits of the judge of a run: it is asked the run's own questions again, with something changed that should not change its verdict."""
