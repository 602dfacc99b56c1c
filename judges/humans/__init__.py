"""People as judges: their labels read from files, kept beside a run, told as judgements like any other."""
